//! Expressions that are refused, because only PCRE knows them: what to write instead (compat R6).

use super::{Code, Finding, Findings, Party};
use crate::{
    config::{Problem, Problems, Span},
    router::Label,
};

/// What only PCRE knows: how it begins, what it is, what to write instead. The longer ones stand first.
const ONLY_PCRE: [(&str, &str, &str); 15] = [
    ("(?<=", "look-behind", "take in what stands before it: the whole match is anchored at the start anyway"),
    (
        "(?<!",
        "negative look-behind",
        "name what may stand there by a class, `[^x]`, or use a route of its own for the exception",
    ),
    ("(?=", "look-ahead", "write what follows as a part of the expression, or end it with `$`"),
    ("(?!", "negative look-ahead", "put the exception into a route of its own with a higher regex_priority"),
    ("(?>", "an atomic group", "write `(?:`: matching takes linear time, there is no backtracking to be cut"),
    ("(?|", "a branch reset", "write `(?:`, and name the groups"),
    ("(?(", "a condition", "write both cases with `|`, or as two paths"),
    ("(?P=", "a back-reference", "match each part by itself and compare in a plugin"),
    ("\\k<", "a back-reference", "match each part by itself and compare in a plugin"),
    ("\\Z", "the end before a last line break", "write `$` or `\\z`"),
    ("\\K", "a reset of the start", "leave it out, or use a named group"),
    ("\\h", "horizontal space", "write `[ \\t]`"),
    ("\\R", "any line break", "write `(?:\\r\\n|\\n|\\r)`"),
    ("\\G", "the end of the last match", "leave it out: there is one match"),
    ("\\Q", "quoted text", "escape each sign by itself"),
];

/// Hints for those of the `problems` of `text` that are expressions of PCRE's.
#[must_use]
pub fn lint_refused(problems: &Problems, text: &str) -> Findings {
    let mut findings = Findings::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for problem in problems.essential().filter(|problem| problem.message.contains("invalid regex")) {
        let Some(span) = problem.span else { continue };
        let Some((sign, what, help)) = hint(text, span) else { continue };
        let mut finding = Finding::new(
            Code::PcreOnlyRegex,
            party(problem),
            format!("`{sign}` is {what}: PCRE knows it, this engine does not"),
            help,
        );
        finding.field = Some(problem.field().to_string());
        (finding.path, finding.span) = (Some(problem.path.clone()), Some(span));
        findings.push(finding);
    }
    findings
}

fn hint(text: &str, span: Span) -> Option<(String, &'static str, &'static str)> {
    let pattern = text.get(span.start as usize..span.end as usize)?;
    // In a double-quoted text each backslash is written twice.
    let pattern = pattern.replace("\\\\", "\\");
    let known = ONLY_PCRE.iter().find(|(sign, ..)| pattern.contains(sign));
    known.map(|(sign, what, help)| ((*sign).to_owned(), *what, *help)).or_else(|| back_reference(&pattern))
}

/// `\1` to `\9`.
fn back_reference(pattern: &str) -> Option<(String, &'static str, &'static str)> {
    let pairs = pattern.as_bytes().windows(2);
    let digit = pairs.filter(|pair| pair.first() == Some(&b'\\')).find_map(|pair| pair.get(1).copied());
    let digit = digit.filter(|byte| (b'1'..=b'9').contains(byte))?;
    let help = "match each part by itself and compare in a plugin";
    Some((format!("\\{}", char::from(digit)), "a back-reference", help))
}

fn party(problem: &Problem) -> Party {
    let subject = problem.subject.as_deref();
    let id = subject.and_then(|subject| subject.id).unwrap_or_default();
    let name = subject.and_then(|subject| subject.name.as_deref());
    Party::new(subject.map_or("routes", |subject| subject.collection), Label::new(id, name))
}
