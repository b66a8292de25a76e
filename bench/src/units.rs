//! Numbers as people read them.

/// Three digits at least, and spaces between thousands: `1.62`, `147`, `34 241`.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    grouped(&format!("{value:.decimals$}"))
}

/// A whole number, with spaces between thousands.
pub(crate) fn whole(value: u64) -> String {
    grouped(&value.to_string())
}

fn grouped(text: &str) -> String {
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position) % 3 == 0 {
            grouped.push('\u{202f}'); // a narrow space at which lines do not break
        }
        grouped.push(digit);
    }
    grouped + fraction
}

/// Nanoseconds in the unit that fits: `820 ns`, `147 µs`, `1.34 ms`, `29.5 s`.
pub(crate) fn duration(ns: f64) -> String {
    scaled(ns, &[(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")])
}

/// KiB in the unit that fits: `12 KiB`, `1.8 MiB`.
pub(crate) fn memory(kib: f64) -> String {
    scaled(kib, &[(1024.0 * 1024.0, "GiB"), (1024.0, "MiB"), (1.0, "KiB")])
}

fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let fits = units.iter().find(|(size, _)| value >= *size).or(units.last());
    fits.map_or_else(String::new, |(size, unit)| {
        let scaled = value / size;
        let text = number(scaled);
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        format!("{text} {unit}")
    })
}

#[cfg(test)]
mod tests {
    use super::{duration, memory, number, whole};

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!(number(1.618), "1.62");
        assert_eq!(number(14.34), "14.3");
        assert_eq!(number(99.96), "100");
        assert_eq!(whole(40), "40");
        assert_eq!(number(34_241.2), "34\u{202f}241");
    }

    #[test]
    fn units_fit() {
        assert_eq!(duration(147_300.0), "147 µs");
        assert_eq!(duration(10_000_000.0), "10 ms");
        assert_eq!(memory(12.0), "12 KiB");
        assert_eq!(memory(1843.2), "1.8 MiB");
    }
}
