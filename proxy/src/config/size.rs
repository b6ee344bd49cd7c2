//! Sizes as people write them: `4MiB`, `512KiB`, and plain numbers for bytes.

/// Reads a whole number and a unit; without a unit it means bytes.
///
/// `KiB`, `MiB` and `GiB` are powers of 1024, `kB`, `MB` and `GB` powers of 1000; case does not
/// matter. A bare `4M` is refused, because people mean both by it.
///
/// # Errors
///
/// A fragment that fits after "is".
pub fn parse(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = text.split_at(end);
    let bytes_each: usize = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => 0,
    };
    if digits.is_empty() || bytes_each == 0 {
        return Err("not a size (4MiB, 512KiB, 1GiB; a plain number means bytes)".into());
    }
    digits
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(bytes_each))
        .ok_or_else(|| "more than this machine can address".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("10B", 10),
            ("512KiB", 524_288),
            (" 4 mib ", 4_194_304),
            ("1GiB", 1_073_741_824),
            ("4MB", 4_000_000),
            ("4kB", 4_000),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in [
            "", "MiB", "-1", "+1", "4M", "4K", "1.5MiB", "4 M iB", "0x10",
        ] {
            assert!(parse(text).unwrap_err().contains("not a size"), "{text}");
        }
        for text in ["99999999999999999999", "18446744073709551615KiB"] {
            assert!(parse(text).unwrap_err().contains("more than"), "{text}");
        }
    }
}
