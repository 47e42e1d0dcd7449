//! The Markdown page of a run.

use std::fmt::Write as _;

use crate::bench::report::Report;

impl Report {
    /// The whole page.
    pub(crate) fn page(&self, plot: &str) -> String {
        let mut page = format!("# {}\n\n", self.measurement.title);
        let _ = writeln!(page, "{}\n\n{}\n\n![{}]({plot})\n", self.setting, self.table(), self.key_title());
        list(&mut page, "Wanted", &self.goals());
        list(&mut page, "Left out", &self.skipped);
        list(&mut page, "Machine", &self.machine.facts());
        let versions: Vec<String> =
            self.series.iter().map(|series| format!("{}: {}", series.name, series.version)).collect();
        list(&mut page, "Versions", &versions);
        page.push_str("How to read this: `benches/README.md`.\n");
        page
    }
}

fn list(page: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(page, "## {title}\n");
    for line in lines {
        let _ = writeln!(page, "- {line}");
    }
    page.push('\n');
}
