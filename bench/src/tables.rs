//! Parts of reports, as Markdown.

use crate::units::number;

/// A heading, a paragraph, and a table below it.
pub(crate) fn section(title: &str, text: &str, columns: &[&str], rows: &[Vec<String>]) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let header: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
    let rule: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(place, _)| if place == 0 { "---" } else { "---:" }.to_owned())
        .collect();
    let rows: String = rows.iter().map(|row| line(row)).collect();
    Some(format!("## {title}\n\n{text}\n\n{}{}{rows}", line(&header), line(&rule)))
}

/// A list with a line for each.
pub(crate) fn list(lines: &[String]) -> String {
    lines.iter().map(|line| ["- ", line].concat()).collect::<Vec<_>>().join("\n")
}

/// How many times the yardstick a value is.
pub(crate) fn ratio(value: Option<f64>, yardstick: Option<f64>) -> String {
    let quotient = value.zip(yardstick).map(|(value, yardstick)| value / yardstick);
    quotient.map_or_else(|| "–".into(), |q| if q < 0.1 { format!("{q:.3}") } else { number(q) })
}

/// The list of what failed, if anything did.
pub(crate) fn failures(failures: &[String]) -> Option<String> {
    if failures.is_empty() {
        return None;
    }
    Some(format!("## What failed\n\n{}\n", list(failures)))
}
