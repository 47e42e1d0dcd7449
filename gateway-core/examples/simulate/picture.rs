//! A run as SVG: three plots under each other, of the same seconds.

use std::fmt::Write as _;

use super::scenario::{Run, STEP};

const LEFT: f64 = 60.0;
const WIDTH: f64 = 640.0;
const LOAD: f64 = 160.0;
const ROW: f64 = 14.0;
const TIMES: f64 = 90.0;
const COLOURS: [&str; 6] = ["#3f6fb5", "#d9822b", "#4c9a58", "#8d5aa8", "#b5473f", "#5b8a8a"];

/// The picture of a run.
pub(crate) fn svg(run: &Run) -> String {
    let steps = run.p99.len();
    let x = |step: usize| LEFT + WIDTH * step as f64 / steps.max(1) as f64;
    let out = 50.0 + LOAD + 30.0;
    let times = out + ROW * run.out.len() as f64 + 40.0;
    let height = times + TIMES + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"20\" font-weight=\"bold\">{}</text>\n",
        LEFT + WIDTH + 90.0,
        run.title
    );
    // Writing to a string does not fail.
    let _ = (|| {
        let per_second = 1_000.0 / STEP as f64;
        let most = run.load.iter().flat_map(|(_, load)| load).max().copied().unwrap_or(1).max(1) as f64;
        writeln!(svg, "<text x=\"10\" y=\"42\">requests a second</text>")?;
        axis(&mut svg, 50.0, LOAD, most * per_second)?;
        for (at, (name, load)) in run.load.iter().enumerate() {
            let y = |value: u64| 50.0 + LOAD - LOAD * value as f64 / most;
            line(&mut svg, load, x, y, COLOURS[at % COLOURS.len()])?;
            let (key, colour) = (60.0 + 16.0 * at as f64, COLOURS[at % COLOURS.len()]);
            writeln!(
                svg,
                "<text x=\"{:.0}\" y=\"{key}\" fill=\"{colour}\">{name}</text>",
                LEFT + WIDTH + 10.0
            )?;
        }
        writeln!(svg, "<text x=\"10\" y=\"{}\">left out</text>", out - 8.0)?;
        for (at, outs) in run.out.iter().enumerate() {
            let (y, colour) = (out + ROW * at as f64, COLOURS[at % COLOURS.len()]);
            for (step, _) in outs.iter().enumerate().filter(|(_, out)| **out) {
                let wide = x(1) - x(0);
                writeln!(
                    svg,
                    "<rect x=\"{:.1}\" y=\"{y}\" width=\"{wide:.2}\" height=\"10\" fill=\"{colour}\"/>",
                    x(step)
                )?;
            }
        }
        let slowest = run.p99.iter().max().copied().unwrap_or(1).max(1) as f64;
        let failed: u64 = run.failed.iter().sum();
        writeln!(svg, "<text x=\"10\" y=\"{}\">p99 in ms; {failed} requests failed</text>", times - 8.0)?;
        axis(&mut svg, times, TIMES, slowest)?;
        line(&mut svg, &run.p99, x, |value| times + TIMES - TIMES * value as f64 / slowest, "#444444")?;
        for second in (0..=steps as u64 * STEP / 1_000).step_by(10) {
            let at = x(usize::try_from(second * 1_000 / STEP).unwrap_or(0));
            writeln!(
                svg,
                "<text x=\"{at:.0}\" y=\"{}\" text-anchor=\"middle\">{second} s</text>",
                times + TIMES + 18.0
            )?;
        }
        writeln!(svg, "</svg>")
    })();
    svg
}

fn axis(svg: &mut String, top: f64, height: f64, most: f64) -> std::fmt::Result {
    let (end, left) = (top + height, LEFT - 6.0);
    writeln!(svg, "<path d=\"M{LEFT} {top}V{end}h{WIDTH}\" stroke=\"#999999\" fill=\"none\"/>")?;
    writeln!(svg, "<text x=\"{left}\" y=\"{:.0}\" text-anchor=\"end\">{most:.0}</text>", top + 10.0)?;
    writeln!(svg, "<text x=\"{left}\" y=\"{end}\" text-anchor=\"end\">0</text>")
}

fn line(
    svg: &mut String,
    values: &[u64],
    x: impl Fn(usize) -> f64,
    y: impl Fn(u64) -> f64,
    colour: &str,
) -> std::fmt::Result {
    write!(svg, "<path d=\"")?;
    for (step, value) in values.iter().enumerate() {
        write!(svg, "{}{:.1} {:.1}", if step == 0 { "M" } else { "L" }, x(step), y(*value))?;
    }
    writeln!(svg, "\" stroke=\"{colour}\" stroke-width=\"1.5\" fill=\"none\"/>")
}
