//! Whether a run shows what the project wants of its own figures.

use crate::bench::goals::Goal;
use crate::bench::peer::OURS;
use crate::bench::report::Report;
use crate::bench::stats::Spread;

impl Report {
    /// The lines about wanted figures, which are the gateway's alone.
    pub(crate) fn goals(&self) -> Vec<String> {
        if !OURS.contains(&&*self.subject) {
            return Vec::new();
        }
        self.measurement.goals.iter().filter_map(|goal| goal.judged(self)).collect()
    }
}

impl Goal {
    /// Wanted and found, as one line; `None` if the run did not measure it.
    fn judged(&self, report: &Report) -> Option<String> {
        match *self {
            Goal::Ratio { peer, most, or_within } => {
                let ratio = report.against(peer, |ours, theirs| ours / theirs)?.median;
                let excess = report.against(peer, |ours, theirs| ours - theirs)?.median;
                let met = ratio <= most || or_within.is_some_and(|grace| excess <= grace);
                let grace = or_within.map_or_else(String::new, |grace| format!(" or within {grace}"));
                let title = report.key_title();
                Some(format!(
                    "{title} against {peer}: wanted <= {most:.2}{grace}, found {ratio:.2}: {}",
                    word(met)
                ))
            }
            Goal::Most { column, most } => {
                let Spread { median, .. } = report.subject_spread(column)?;
                let title = report.title(column);
                Some(format!("{title}: wanted <= {most}, found {median:.2}: {}", word(median <= most)))
            }
        }
    }
}

fn word(met: bool) -> &'static str {
    if met { "met" } else { "NOT met" }
}
