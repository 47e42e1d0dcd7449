//! The rounds of all proxies and the table made of them.

use crate::bench::machine::Machine;
use crate::bench::measure::Measurement;
use crate::bench::stats::Spread;

/// One proxy's rounds; every round is a number for each column.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    pub(crate) rounds: Vec<Vec<f64>>,
}

/// All rounds of one run. Round n of one proxy ran beside round n of the others.
pub(crate) struct Report {
    pub(crate) measurement: &'static Measurement,
    /// The proxy that the others are compared with.
    pub(crate) subject: String,
    pub(crate) series: Vec<Series>,
    /// Peers that were left out and why.
    pub(crate) skipped: Vec<String>,
    pub(crate) machine: Machine,
    /// How the run was made: rounds, seconds, connections.
    pub(crate) setting: String,
}

impl Series {
    pub(crate) fn spread(&self, column: usize) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| round.get(column).copied()))
    }
}

impl Report {
    pub(crate) fn title(&self, column: usize) -> &'static str {
        self.measurement.columns.get(column).map_or("", |column| column.title)
    }

    pub(crate) fn key_title(&self) -> &'static str {
        self.title(self.measurement.key)
    }

    pub(crate) fn subject_spread(&self, column: usize) -> Option<Spread> {
        self.named(&self.subject)?.spread(column)
    }

    /// The subject's key column against a peer's, round by round: what disturbs the machine disturbs both.
    pub(crate) fn against(&self, peer: &str, compare: impl Fn(f64, f64) -> f64) -> Option<Spread> {
        let key = |round: &Vec<f64>| round.get(self.measurement.key).copied();
        let (ours, theirs) = (self.named(&self.subject)?, self.named(peer)?);
        let pairs = ours.rounds.iter().filter_map(key).zip(theirs.rounds.iter().filter_map(key));
        Spread::of(pairs.map(|(ours, theirs)| compare(ours, theirs)))
    }

    fn named(&self, name: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.name == name)
    }

    /// The table with the medians, the extremes and the ratios; fit for a terminal as it is.
    pub(crate) fn table(&self) -> String {
        let mut rows = vec![self.head()];
        rows.extend(self.series.iter().map(|series| self.row(series)));
        aligned(&rows)
    }

    fn head(&self) -> Vec<String> {
        let titles = self.measurement.columns.iter().map(|column| column.title.to_owned());
        let ratio = format!("{} / it", self.subject);
        std::iter::once("proxy".to_owned()).chain(titles).chain([ratio]).collect()
    }

    fn row(&self, series: &Series) -> Vec<String> {
        let columns = self.measurement.columns.iter().enumerate();
        let cells = columns.map(|(index, column)| cell(series.spread(index), column.decimals));
        let ratio = if series.name == self.subject { None } else { self.against(series.name, |a, b| a / b) };
        std::iter::once(series.name.to_owned()).chain(cells).chain([cell(ratio, 2)]).collect()
    }
}

/// `median [min-max]`, or a dash for nothing.
fn cell(spread: Option<Spread>, decimals: usize) -> String {
    let Some(Spread { median, min, max }) = spread else { return "-".to_owned() };
    let [median, min, max] = [median, min, max].map(|value| format!("{value:.decimals$}"));
    if min == max { median } else { format!("{median} [{min}-{max}]") }
}

/// A Markdown table with its columns aligned; the first row is the head.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut lines: Vec<String> = rows.iter().map(|row| line(row, &widths)).collect();
    let rule: Vec<String> = widths.iter().enumerate().map(|(column, width)| rule(column, *width)).collect();
    lines.insert(1, format!("|{}|", rule.join("|")));
    lines.join("\n")
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).enumerate().map(|(column, (text, width))| match column {
        0 => format!(" {text:<width$} "),
        _ => format!(" {text:>width$} "),
    });
    format!("|{}|", cells.collect::<Vec<_>>().join("|"))
}

/// Numbers to the right, the name to the left.
fn rule(column: usize, width: usize) -> String {
    if column == 0 { "-".repeat(width + 2) } else { format!("{}:", "-".repeat(width + 1)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::measure::Kind;
    use crate::bench::peer::GATEWAY;

    #[test]
    fn a_table_is_aligned_and_has_its_rule_below_the_head() {
        let rows = [vec!["proxy".into(), "us".into()], vec!["a".into(), "1.50".into()]];
        let rows: Vec<Vec<String>> = rows.to_vec();
        assert_eq!(aligned(&rows), "| proxy |   us |\n|-------|-----:|\n| a     | 1.50 |");
    }

    #[test]
    fn one_round_has_no_extremes_to_show() {
        assert_eq!(cell(Spread::of([2.0]), 1), "2.0");
        assert_eq!(cell(Spread::of([1.0, 2.0, 4.0]), 0), "2 [1-4]");
        assert_eq!(cell(None, 0), "-");
    }

    fn report(kind: Kind, gateway: [f64; 3], nginx: [f64; 3]) -> Report {
        let series = |name, rounds: [f64; 3]| Series {
            name,
            version: String::new(),
            rounds: rounds.iter().map(|value| vec![*value]).collect(),
        };
        Report {
            measurement: kind.measurement().unwrap(),
            subject: GATEWAY.into(),
            series: vec![series(GATEWAY, gateway), series("nginx", nginx)],
            skipped: Vec::new(),
            machine: Machine::default(),
            setting: String::new(),
        }
    }

    /// The verdict on the goal against nginx.
    fn verdict(report: &Report) -> String {
        let goals = report.goals();
        let line = goals.iter().find(|line| line.contains("nginx")).unwrap();
        line.rsplit(": ").next().unwrap().to_owned()
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The second round was disturbed, for both.
        let report = report(Kind::Load, [8.0, 24.0, 9.0], [10.0, 30.0, 10.0]);
        let ratio = report.against("nginx", |ours, theirs| ours / theirs).unwrap();
        assert_eq!((ratio.median, ratio.min, ratio.max), (0.8, 0.8, 0.9));
    }

    #[test]
    fn a_ratio_below_one_is_not_enough_where_more_is_wanted() {
        assert_eq!(verdict(&report(Kind::Load, [8.9; 3], [10.0; 3])), "met");
        assert_eq!(verdict(&report(Kind::Load, [9.1; 3], [10.0; 3])), "NOT met");
    }

    #[test]
    fn a_latency_within_the_grace_is_met_whatever_its_ratio() {
        assert_eq!(verdict(&report(Kind::P99, [290.0; 3], [100.0; 3])), "met");
        assert_eq!(verdict(&report(Kind::P99, [310.0; 3], [100.0; 3])), "NOT met");
        assert_eq!(verdict(&report(Kind::P99, [1290.0; 3], [1000.0; 3])), "met");
    }

    #[test]
    fn goals_are_judged_for_the_gateway_alone() {
        let other = Report { subject: "nginx".into(), ..report(Kind::Load, [1.0; 3], [1.0; 3]) };
        assert!(other.goals().is_empty());
    }
}
