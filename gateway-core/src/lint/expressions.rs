//! Regular expressions of routes that are taken, but perhaps not as their author reads them.

use regex_syntax::ast::{self, Ast, parse::Parser};

use super::{Code, Finding, Findings, Party};
use crate::{config::Route, router::start_of};

pub(super) fn lint(route: &Route, findings: &mut Findings) {
    for (at, path) in route.paths.iter().flatten().enumerate() {
        let Some(pattern) = path.strip_prefix('~') else { continue };
        let mut doubts = doubts(pattern);
        doubts.extend(of_path(pattern));
        let finding = |doubt: Doubt| Finding::new(doubt.code, Party::of(route), doubt.message, doubt.help);
        doubts.into_iter().for_each(|doubt| findings.push(finding(doubt).at(format!("paths[{at}]"))));
    }
    for (name, values) in route.headers.iter().flatten() {
        for (at, value) in values.iter().enumerate() {
            let Some(pattern) = value.strip_prefix("~*") else { continue };
            let finding =
                |doubt: Doubt| Finding::new(doubt.code, Party::of(route), doubt.message, doubt.help);
            for doubt in doubts(pattern) {
                findings.push(finding(doubt).at(format!("headers.{name}[{at}]")));
            }
        }
    }
}

/// What is doubtful in an expression.
struct Doubt {
    code: Code,
    message: String,
    help: String,
}

/// What holds for expressions over paths only: they are anchored at their start, and rank above prefixes.
fn of_path(pattern: &str) -> Option<Doubt> {
    if let Some(start) = start_of(pattern) {
        let start = if start.is_empty() { "/".to_owned() } else { start };
        return Some(Doubt {
            code: Code::RegexWithoutNeed,
            message: format!(
                "~{pattern} takes what the prefix {start} takes, but ranks above every prefix, longer ones too"
            ),
            help: format!("write {start}"),
        });
    }
    let open = !pattern.ends_with(['$', '*']) && !pattern.ends_with("\\z");
    open.then(|| Doubt {
        code: Code::OpenEndedRegex,
        message: format!("~{pattern} has no end: it takes longer paths too"),
        help: format!("write ~{pattern}$ where the path is to end there"),
    })
}

fn doubts(pattern: &str) -> Vec<Doubt> {
    let Ok(ast) = Parser::new().parse(pattern) else { return Vec::new() };
    let mut found = Found::default();
    found.visit(&ast);
    let shown =
        |span: &ast::Span| pattern.get(span.start.offset..span.end.offset).unwrap_or_default().to_owned();
    let mut doubts = Vec::new();
    if let Some(span) = found.possessive {
        let part = shown(&span);
        doubts.push(Doubt {
            code: Code::RegexReadsOtherwise,
            message: format!("PCRE reads `{part}` as possessive, which never gives back what it took; here it repeats what is repeated, and may match more"),
            help: format!("write `{}`, or a class that ends where it should", part.get(..part.len() - 1).unwrap_or_default()),
        });
    }
    if let Some(span) = found.recursion {
        doubts.push(Doubt {
            code: Code::RegexReadsOtherwise,
            message: format!(
                "PCRE reads `{}` as a recursion; here it is a flag that says what ends a line",
                shown(&span)
            ),
            help: "write out as many levels as are needed".to_owned(),
        });
    }
    if let Some(span) = found.dot {
        let part = shown(&span);
        doubts.push(Doubt {
            code: Code::UnescapedDot,
            message: format!("the dot in `{part}` stands for any character"),
            help: format!("write `{}`", part.replace('.', "\\.")),
        });
    }
    if !found.differing.is_empty() {
        let list: Vec<_> = found.differing.iter().map(|(sign, what)| format!("`{sign}` {what}")).collect();
        doubts.push(Doubt {
            code: Code::RegexClassDiffers,
            message: format!("not quite as in PCRE: {}", list.join("; ")),
            help: "nothing, for most paths; `[0-9]` and `[A-Za-z0-9_]` are the same in both".to_owned(),
        });
    }
    doubts
}

/// What was found in an expression: the first of each sort.
#[derive(Default)]
struct Found {
    possessive: Option<ast::Span>,
    recursion: Option<ast::Span>,
    dot: Option<ast::Span>,
    differing: Vec<(&'static str, &'static str)>,
}

impl Found {
    fn visit(&mut self, ast: &Ast) {
        match ast {
            Ast::Repetition(repeat) => {
                self.repetition(repeat);
                self.visit(&repeat.ast);
            }
            Ast::Group(group) => self.visit(&group.ast),
            Ast::Alternation(all) => all.asts.iter().for_each(|one| self.visit(one)),
            Ast::Concat(all) => {
                all.asts.windows(3).for_each(|three| self.dot(three));
                all.asts.iter().for_each(|one| self.visit(one));
            }
            Ast::ClassPerl(class) => self.class(class),
            Ast::Flags(set) if set.flags.flag_state(ast::Flag::CRLF).is_some() => {
                self.recursion.get_or_insert(set.span);
            }
            Ast::Assertion(assertion) if assertion.kind == ast::AssertionKind::EndLine => {
                self.differs("$", "is the very end, in PCRE also the place before a last line break");
            }
            _ => {}
        }
    }

    /// `a++`: a plus right behind what is repeated already.
    fn repetition(&mut self, repeat: &ast::Repetition) {
        let plus = repeat.op.kind == ast::RepetitionKind::OneOrMore && repeat.greedy;
        if plus && matches!(*repeat.ast, Ast::Repetition(_)) {
            self.possessive.get_or_insert(repeat.span);
        }
    }

    /// `v1.0`, `example.com`: a dot between two characters that words are made of.
    fn dot(&mut self, three: &[Ast]) {
        let word = |ast: &Ast| matches!(ast, Ast::Literal(literal) if literal.c.is_ascii_alphanumeric());
        if let [before, Ast::Dot(_), after] = three
            && word(before)
            && word(after)
        {
            self.dot.get_or_insert(ast::Span::new(before.span().start, after.span().end));
        }
    }

    fn class(&mut self, class: &ast::ClassPerl) {
        match (&class.kind, class.negated) {
            (ast::ClassPerlKind::Digit, false) => self.differs("\\d", "takes the digits of all scripts"),
            (ast::ClassPerlKind::Digit, true) => self.differs("\\D", "leaves out the digits of all scripts"),
            (ast::ClassPerlKind::Space, false) => self.differs("\\s", "takes the spaces of all scripts"),
            (ast::ClassPerlKind::Space, true) => self.differs("\\S", "leaves out the spaces of all scripts"),
            (ast::ClassPerlKind::Word, false) => self.differs("\\w", "takes the letters of all scripts"),
            (ast::ClassPerlKind::Word, true) => self.differs("\\W", "leaves out the letters of all scripts"),
        }
    }

    fn differs(&mut self, sign: &'static str, what: &'static str) {
        if !self.differing.iter().any(|(own, _)| *own == sign) {
            self.differing.push((sign, what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(pattern: &str) -> Vec<&'static str> {
        doubts(pattern).into_iter().chain(of_path(pattern)).map(|doubt| doubt.code.as_str()).collect()
    }

    #[test]
    fn expressions_have_their_doubts() {
        for (pattern, expected) in [
            ("/users/[0-9]+$", &["L015"][..]),
            (r"/users/[0-9]+\z", &[]),
            ("/users/[0-9]+", &["L014"]),
            ("/users", &["L013"]),
            ("/users/.*", &["L013"]),
            ("/[a-z]++x*", &["L011"]),
            ("/(a(?R)b)x*", &["L011"]),
            ("/v1.0/x*y*z?a[bc]*", &["L012"]),
            (r"/v1\.0/[a-z]*", &["L013"]),
            ("/[a-z]*.html*", &[]),
            (r"/\d+/\w*", &["L015"]),
        ] {
            assert_eq!(codes(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn what_to_write_instead_is_said() {
        let help = |pattern: &str| doubts(pattern).into_iter().chain(of_path(pattern)).next().unwrap().help;
        assert_eq!(help("/v1.0/x"), r"write `1\.0`");
        assert_eq!(help("/[a-z]++/x*"), "write `[a-z]+`, or a class that ends where it should");
        assert_eq!(help("/users.*"), "write /users");
        assert_eq!(help("/(a|b)"), "write ~/(a|b)$ where the path is to end there");
    }
}
