//! The middle of what was measured.

/// The middle one of these values, which does not mind a slow one among them.
///
/// # Panics
///
/// If there are none.
#[must_use]
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
