//! A bar plot as SVG: one bar a proxy, with a whisker from the best round to the worst.

use std::fmt::Write as _;

use crate::bench::report::Report;
use crate::bench::stats::Spread;

const LEFT: f64 = 110.0;
const PLOT: f64 = 480.0;
const RIGHT: f64 = 70.0;
const TOP: f64 = 40.0;
const ROW: f64 = 30.0;
const BAR: f64 = 18.0;

/// The plot of the key column, lower is better.
pub(crate) fn svg(report: &Report) -> String {
    let key = report.measurement.key;
    let bars: Vec<(&str, Spread)> =
        report.series.iter().filter_map(|series| Some((series.name, series.spread(key)?))).collect();
    let most = bars.iter().map(|(_, spread)| spread.max).fold(f64::MIN_POSITIVE, f64::max);
    let (width, height) = (LEFT + PLOT + RIGHT, TOP + ROW * bars.len() as f64 + 10.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"22\" font-weight=\"bold\">{}: median, whiskers from best to worst round</text>\n",
        report.key_title()
    );
    for (row, (name, spread)) in bars.iter().enumerate() {
        let colour = if *name == report.subject { "#d9622b" } else { "#7a8ba3" };
        bar(&mut svg, TOP + ROW * row as f64, name, *spread, PLOT / most, colour);
    }
    svg.push_str("</svg>\n");
    svg
}

fn bar(svg: &mut String, y: f64, name: &str, spread: Spread, scale: f64, colour: &str) {
    let (middle, text) = (y + BAR / 2.0, y + BAR * 0.75);
    let at = |value: f64| LEFT + value * scale;
    let (start, end) = (at(spread.min), at(spread.max));
    let _ = writeln!(
        svg,
        "<text x=\"{:.0}\" y=\"{text:.1}\" text-anchor=\"end\">{name}</text>\n\
         <rect x=\"{LEFT:.0}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR:.0}\" fill=\"{colour}\"/>\n\
         <path d=\"M{start:.1} {middle:.1}H{end:.1}M{start:.1} {:.1}v8M{end:.1} {:.1}v8\" stroke=\"black\"/>\n\
         <text x=\"{:.1}\" y=\"{text:.1}\">{:.1}</text>",
        LEFT - 8.0,
        spread.median * scale,
        middle - 4.0,
        middle - 4.0,
        end + 6.0,
        spread.median,
    );
}
