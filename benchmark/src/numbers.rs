//! Medians and other quantiles.

/// The spread of a result over several rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => f64::midpoint(values[middle - 1], values[middle]),
            _ => values[middle],
        };
        Self { median, lowest: values[0], highest: values[values.len() - 1] }
    }
}

/// The value that `share` of the `sorted` ones do not exceed.
pub(crate) fn quantile(sorted: &[u64], share: f64) -> f64 {
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().map_or(f64::NAN, float)
}

/// No count here has more than 50 bits.
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
