//! Durations as people write them: `500ms`, `30s`, `5m`, `2h`, `7d`, and plain numbers for seconds.

use std::time::Duration;

/// The longest duration accepted. Clocks add durations to the present, and a year is far beyond any
/// wait here and far within what they can add.
pub const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Reads a whole number and a unit; without a unit it means seconds.
///
/// # Errors
///
/// A fragment that fits after "is".
pub fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = text.split_at(end);
    let millis_each: u64 = match unit.trim_start() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
    if digits.is_empty() || millis_each == 0 {
        return Err("not a duration (500ms, 30s, 5m, 2h, 7d; a plain number means seconds)".into());
    }
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(millis_each))
        .map(Duration::from_millis)
        .filter(|duration| *duration <= MAX_DURATION)
        .ok_or_else(|| "longer than a year".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("0", 0),
            ("30", 30_000),
            ("30s", 30_000),
            (" 30 s ", 30_000),
            ("500ms", 500),
            ("5m", 300_000),
            ("5min", 300_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
            ("31622400", 31_622_400_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "", "s", "-1", "+1", "1.5s", "1w", "1h30m", "1S", "five", "1e3", "1 0",
        ] {
            assert!(
                parse(text).unwrap_err().contains("not a duration"),
                "{text}"
            );
        }
        for text in ["31622401", "18446744073709551615h", "99999999999999999999"] {
            assert_eq!(parse(text).unwrap_err(), "longer than a year", "{text}");
        }
    }
}
