// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Numbers as people read them.

/// A count with its thousands apart: `1,234,567`.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A rate: whole from 100 up, with one decimal below.
pub(super) fn rate(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.1}");
    }
    // Rates are counts over seconds: none reaches 2^63, and a cast saturates.
    #[expect(clippy::cast_possible_truncation, reason = "casts of floats saturate")]
    let whole = value.round() as i64;
    count(whole.unsigned_abs())
}

/// A time, in the unit that leaves it at least 1.
pub(super) fn time(nanoseconds: u64) -> String {
    scaled(nanoseconds as f64, 1000.0, &["ns", "µs", "ms", "s"])
}

/// An amount of memory, in the binary unit that leaves it at least 1.
pub(super) fn bytes(value: u64) -> String {
    scaled(
        value as f64,
        1024.0,
        &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"],
    )
}

/// Three digits are enough to compare; a value in the smallest unit is exact.
fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut units = units.iter().peekable();
    let mut smallest = true;
    while let Some(unit) = units.next() {
        let decimals = match value {
            _ if smallest => 0,
            ..9.995 => 2,
            ..99.95 => 1,
            _ => 0,
        };
        // What would round up to the next unit is told in it.
        if value.round() < step || units.peek().is_none() {
            return format!("{value:.decimals$} {unit}");
        }
        value /= step;
        smallest = false;
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(count(value), text);
        }
    }

    #[test]
    fn times_have_three_digits_and_their_unit() {
        for (value, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1000, "1.00 µs"),
            (9_994, "9.99 µs"),
            (9_996, "10.0 µs"),
            (12_345, "12.3 µs"),
            (999_499, "999 µs"),
            (999_600, "1.00 ms"),
            (1_500_000_000, "1.50 s"),
            (90_000_000_000, "90.0 s"),
            (7_200_000_000_000, "7200 s"),
        ] {
            assert_eq!(time(value), text, "{value}");
        }
    }

    #[test]
    fn memory_is_told_in_binary_units() {
        for (value, text) in [
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (3 << 29, "1.50 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(value), text, "{value}");
        }
    }

    #[test]
    fn rates_are_whole_once_they_are_large() {
        assert_eq!(rate(0.0), "0.0");
        assert_eq!(rate(12.34), "12.3");
        assert_eq!(rate(123_456.7), "123,457");
    }
}
