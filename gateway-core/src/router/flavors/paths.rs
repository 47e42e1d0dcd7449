//! The paths of a route, read, and put together where nothing ranks one above the other.

use std::sync::Arc;

use super::super::{
    Dialect, budget::Compiled, path::Prefix, pattern::Pattern, rank::PathKind, rule::Paths,
    template::Template,
};

/// One path of a route.
pub(in crate::router) enum Path {
    /// A prefix in bytes.
    Prefix(Prefix),
    /// A prefix in whole elements.
    Elements(Prefix),
    /// The whole path.
    Exact(Prefix),
    Pattern(Arc<Pattern>),
    Template(Arc<Template>),
}

impl Path {
    /// Reads a path as Kong's flavours do: `~` and an expression, or a prefix; or a template, where they are read.
    pub(in crate::router) fn parse(text: &str, dialect: Dialect) -> Result<Self, String> {
        match text.strip_prefix('~') {
            Some(pattern) => Pattern::new(pattern).map(Self::Pattern),
            None if !text.starts_with('/') => {
                Err("should start with: / (fixed path) or ~/ (regex path)".into())
            }
            None if dialect.path_templates && Template::is_one(text) => {
                Template::new(text).map(|template| Self::Template(Arc::new(template)))
            }
            None => Ok(Self::Prefix(Prefix::new(text))),
        }
    }

    fn kind(&self) -> PathKind {
        match self {
            Self::Prefix(prefix) | Self::Elements(prefix) => PathKind::Prefix(prefix.length),
            Self::Exact(_) => PathKind::Exact,
            Self::Pattern(_) => PathKind::Regex,
            Self::Template(template) => PathKind::Template(template.length()),
        }
    }
}

impl Compiled for Path {
    fn memory(&self) -> usize {
        if let Self::Pattern(pattern) = self { pattern.regex.memory() } else { 0 }
    }
}

/// Groups paths by what ranks them, in the order in which the kinds come: all expressions, the prefixes of each
/// length, the templates of each length (compat P44). A route without paths has one group.
pub(in crate::router) fn group(paths: Vec<Path>) -> Vec<(PathKind, Paths)> {
    if paths.is_empty() {
        return vec![(PathKind::None, Paths::Any)];
    }
    let mut groups: Vec<(PathKind, Paths)> = Vec::new();
    for path in paths {
        let kind = path.kind();
        match groups.iter_mut().find(|(own, _)| *own == kind) {
            Some((_, group)) => group.push(path),
            None => groups.push((kind, Paths::from(path))),
        }
    }
    groups
}

impl Paths {
    /// Adds one of the same kind.
    fn push(&mut self, path: Path) {
        match (self, path) {
            (Self::Prefixes(own), Path::Prefix(path))
            | (Self::Elements(own), Path::Elements(path))
            | (Self::Exact(own), Path::Exact(path)) => own.push(path),
            (Self::Patterns(own), Path::Pattern(path)) => own.push(path),
            (Self::Templates(own), Path::Template(path)) => own.push(path),
            (own, path) => debug_assert!(false, "{own:?} and {:?} are of one kind", path.kind()),
        }
    }
}

impl From<Path> for Paths {
    fn from(path: Path) -> Self {
        match path {
            Path::Prefix(path) => Self::Prefixes(vec![path]),
            Path::Elements(path) => Self::Elements(vec![path]),
            Path::Exact(path) => Self::Exact(vec![path]),
            Path::Pattern(path) => Self::Patterns(vec![path]),
            Path::Template(path) => Self::Templates(vec![path]),
        }
    }
}
