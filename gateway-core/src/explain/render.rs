//! The answer for people.

use std::fmt::{self, Write};

use super::{Candidate, Report, Step, ToUpstream};
use crate::{
    config::Colour,
    router::{Explanation, Taken},
};

impl Report {
    /// The report as lines for people.
    #[must_use]
    pub fn render(&self, colour: Colour) -> String {
        let mut page = Page { text: String::new(), colour };
        // Writing to a string does not fail.
        let _ = page.report(self);
        page.text
    }
}

/// As [`render`](Report::render) without colours.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Colour::Never))
    }
}

/// Lines on their way.
struct Page {
    text: String,
    colour: Colour,
}

#[derive(Clone, Copy)]
enum Ink {
    Good,
    Bad,
    Strong,
}

impl Page {
    fn report(&mut self, report: &Report) -> fmt::Result {
        self.request(report)?;
        if let Some(routing) = &report.routing {
            self.routing(routing, report)?;
        }
        if let Some(upstream) = &report.upstream {
            self.upstream(upstream, report)?;
        }
        if !report.plugins.is_empty() {
            self.head("plugins, in the order they run")?;
            for (at, step) in report.plugins.iter().enumerate() {
                writeln!(self.text, "  {}. {}", at + 1, plugin(step))?;
            }
        }
        if !report.endpoints.is_empty() {
            self.head("endpoints to pick from")?;
            report.endpoints.iter().try_for_each(|candidate| self.candidate(candidate))?;
        }
        for other in &report.elsewhere {
            self.head(&format!("plugins may send it to {} instead", other.destination))?;
            other.endpoints.iter().try_for_each(|candidate| self.candidate(candidate))?;
        }
        if report.outcome.reason.is_some() {
            let says = self.inked(Ink::Bad, &report.outcome.says);
            writeln!(self.text, "\n{says}")?;
        }
        Ok(())
    }

    fn request(&mut self, report: &Report) -> fmt::Result {
        let asked = &report.request;
        let query = asked.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let scheme = if asked.scheme.is_tls() { "https" } else { "http" };
        let port = if asked.port == asked.scheme.default_port() {
            String::new()
        } else {
            format!(":{}", asked.port)
        };
        let line = format!("{} {scheme}://{}{port}{}{query}", asked.method, asked.host, asked.path);
        let line = self.inked(Ink::Strong, &line);
        write!(self.text, "{line} from {}", asked.client)?;
        if let Some(consumer) = &asked.consumer {
            write!(self.text, " as consumer {consumer}")?;
        }
        self.text.push('\n');
        asked.changes.iter().try_for_each(|change| writeln!(self.text, "  {change}"))
    }

    fn routing(&mut self, routing: &Explanation, report: &Report) -> fmt::Result {
        match &routing.taken {
            Some(taken) => self.taken(taken)?,
            None => {
                let line = self.inked(Ink::Bad, "no route takes it");
                writeln!(self.text, "\n{line} ({}, {})", count(routing.routes, "route"), routing.flavor)?;
            }
        }
        if !report.switched_off.is_empty() {
            self.head("would match, but their services are switched off (enabled: false)")?;
            report.switched_off.iter().try_for_each(|route| writeln!(self.text, "  {route}"))?;
        }
        if !routing.runners_up.is_empty() {
            self.head("match too, but rank lower")?;
            let others = routing.matching.saturating_sub(1);
            for other in &routing.runners_up {
                writeln!(self.text, "  {}: {}", other.route, other.lost)?;
            }
            self.more(others, routing.runners_up.len())?;
        }
        if !routing.missed.is_empty() {
            self.head("do not match, the nearest first")?;
            for other in &routing.missed {
                writeln!(self.text, "  {}: {}", other.route, other.failed)?;
            }
            self.more(routing.routes.saturating_sub(routing.matching), routing.missed.len())?;
        }
        Ok(())
    }

    fn taken(&mut self, taken: &Taken) -> fmt::Result {
        let line = self.inked(Ink::Good, &format!("route {} takes it", taken.route));
        let by = taken.path.as_ref().map(|path| format!(", by its path {path}")).unwrap_or_default();
        writeln!(self.text, "\n{line}{by}")?;
        for capture in &taken.captures {
            let name = capture.name.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default();
            let value = capture.value.as_deref().unwrap_or("nothing");
            writeln!(self.text, "  capture {}{name}: {value}", capture.number)?;
        }
        Ok(())
    }

    fn upstream(&mut self, upstream: &ToUpstream, report: &Report) -> fmt::Result {
        self.head(&format!("goes to service {}", upstream.service))?;
        writeln!(self.text, "  {} {}", report.request.method, upstream.url)?;
        let host = upstream.host.as_ref().map(|host| format!(" {host},")).unwrap_or_default();
        writeln!(self.text, "  Host:{host} {}", upstream.host_from)?;
        match &upstream.stripped {
            Some(prefix) => writeln!(self.text, "  taken off the path: {prefix} (strip_path)"),
            None => writeln!(self.text, "  nothing is taken off the path"),
        }
    }

    fn candidate(&mut self, candidate: &Candidate) -> fmt::Result {
        let word = match candidate.eligible {
            Some(true) => self.inked(Ink::Good, "eligible"),
            Some(false) => self.inked(Ink::Bad, "not eligible"),
            None => self.inked(Ink::Strong, "not known yet"),
        };
        let Candidate { target, weight, why, .. } = candidate;
        // An address that is the target itself says nothing new.
        let at = candidate.address.map(|address| address.to_string()).filter(|address| address != target);
        let at = at.map(|address| format!(" at {address}")).unwrap_or_default();
        writeln!(self.text, "  {target}{at}, weight {weight}: {word}, {why}")
    }

    fn head(&mut self, text: &str) -> fmt::Result {
        let line = self.inked(Ink::Strong, text);
        writeln!(self.text, "\n{line}")
    }

    fn more(&mut self, all: usize, shown: usize) -> fmt::Result {
        match all.saturating_sub(shown) {
            0 => Ok(()),
            more => writeln!(self.text, "  and {more} more"),
        }
    }

    fn inked(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Good => "1;32",
            Ink::Bad => "1;31",
            Ink::Strong => "1",
        };
        match self.colour {
            Colour::Never => text.to_owned(),
            Colour::Always => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

fn plugin(step: &Step) -> String {
    let Step { name, priority, scope, consumers, .. } = step;
    let own = count(*consumers, "consumer");
    match scope {
        Some(scope) if *consumers == 0 => format!("{name} (priority {priority}), configured for: {scope}"),
        Some(scope) => format!(
            "{name} (priority {priority}), configured for: {scope}; otherwise for {own}, once authenticated"
        ),
        None => format!("{name} (priority {priority}), only for {own}, once authenticated"),
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
