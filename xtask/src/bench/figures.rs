//! What was seen, round by round, and what it comes to: medians, spreads, ratios.

use std::fmt::Write as _;

/// One measurement of one case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figures {
    /// CPU time of the process per call, in microseconds.
    pub(super) cpu: f64,
    pub(super) per_second: f64,
    /// Half of the calls took at most this long, in microseconds.
    pub(super) p50: f64,
    /// The most memory the process has had at once.
    pub(super) peak_mib: f64,
}

/// A case, and its measurement of every round.
pub(super) struct Seen {
    pub(super) name: &'static str,
    rounds: Vec<Figures>,
}

impl Seen {
    pub(super) fn of(name: &'static str) -> Self {
        Self {
            name,
            rounds: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, figures: Figures) {
        self.rounds.push(figures);
    }

    pub(super) fn median(&self, figure: impl Fn(&Figures) -> f64) -> f64 {
        median(self.rounds.iter().map(figure).collect())
    }

    /// How many times as much as `beside`: the median of what each round says, because what
    /// disturbs a round disturbs both.
    pub(super) fn ratio(&self, beside: &Self, figure: impl Fn(&Figures) -> f64) -> f64 {
        let pairs = self.rounds.iter().zip(&beside.rounds);
        median(
            pairs
                .map(|(own, other)| figure(own) / figure(other))
                .collect(),
        )
    }

    /// The median, and between which values it lies: `12.8 (12.1..13.9)`.
    fn spread(&self, figure: impl Fn(&Figures) -> f64) -> String {
        let values = || self.rounds.iter().map(&figure);
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(0.0, f64::max);
        let number = |value: f64| {
            if value < 100.0 {
                format!("{value:.1}")
            } else {
                format!("{value:.0}")
            }
        };
        let middle = number(self.median(&figure));
        format!("{middle} ({}..{})", number(low), number(high))
    }
}

/// The middle one, or between the two of them; not a number where there is none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

/// All of it for a person.
pub(super) fn table(seen: &[Seen]) -> String {
    let mut text = format!(
        "\n{:<24} {:<24} {:<28} {:<22} {}\n",
        "", "CPU us/call", "calls/s", "p50 us", "peak MiB"
    );
    for seen in seen {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{:<24} {:<24} {:<28} {:<22} {:.1}",
            seen.name,
            seen.spread(|figures| figures.cpu),
            seen.spread(|figures| figures.per_second),
            seen.spread(|figures| figures.p50),
            seen.median(|figures| figures.peak_mib),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(cpu: &[f64]) -> Seen {
        let mut seen = Seen::of("case");
        for cpu in cpu {
            seen.add(Figures {
                cpu: *cpu,
                per_second: 1000.0,
                p50: 5.0,
                peak_mib: 6.5,
            });
        }
        seen
    }

    #[test]
    fn a_median_is_not_moved_by_one_bad_round() {
        assert!((seen(&[3.0, 1.0, 900.0]).median(|figures| figures.cpu) - 3.0).abs() < 1e-9);
        assert!((seen(&[1.0, 2.0]).median(|figures| figures.cpu) - 1.5).abs() < 1e-9);
    }

    #[test]
    fn a_ratio_is_taken_within_rounds() {
        // Both were slowed alike in the second round; the medians alone would say 3.
        let (own, other) = (seen(&[20.0, 60.0, 20.0]), seen(&[10.0, 30.0, 5.0]));
        assert!((own.ratio(&other, |figures| figures.cpu) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_line_has_medians_and_spreads() {
        let text = table(&[seen(&[12.0, 14.0, 13.0])]);
        assert!(text.contains("13.0 (12.0..14.0)"), "{text}");
        assert!(text.contains("1000 (1000..1000)"), "{text}");
    }
}
