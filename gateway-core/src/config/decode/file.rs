//! The top of a declarative file.

use std::sync::LazyLock;

use super::{
    Options,
    entity::Reader,
    record::{Around, Decoder},
    rows::Rows,
    secret::Secrets,
};
use crate::config::{
    Span,
    document::{Data, Entry, Node},
    problem::{Problem, Step},
    schema::{EntityKind, Field, Record},
};

/// The versions of the format; they read the same here.
const VERSIONS: &[&str] = &["1.1", "2.1", "3.0"];

/// What stands beside the lists of entities.
static TOP: LazyLock<Record> = LazyLock::new(|| {
    let mut fields = vec![
        Field::one_of("_format_version", VERSIONS).required().doc("Version of the format."),
        Field::boolean("_transform").default(true).doc("Accepted, without effect."),
        Field::any("_info").doc("What decK notes down; not used."),
        Field::string("_workspace").doc("Accepted, without effect."),
    ];
    let lists = EntityKind::ALL.iter().map(|kind| Field::array(kind.collection(), Field::any("")));
    fields.extend(lists);
    Record::new(fields)
});

/// Every entity of the file, nested ones behind those around them, and a reader for their fields that knows what
/// is wrong so far.
pub(super) fn rows<'n, 'o>(
    root: &'n Node,
    problems: Vec<Problem>,
    options: &Options<'o>,
) -> (Rows<'n>, Reader<'o>) {
    let mut decoder = Decoder::new(problems, Secrets::new(root, options));
    let mut rows = Rows::default();
    if !matches!(root.data, Data::Map(_)) {
        let problem = Problem::syntax(root.span, "did not find a map at the top").finding(root.describe());
        decoder.report(problem.allowing("_format_version: \"3.0\", and lists of entities"));
        return (rows, Reader::new(decoder, options.plugins));
    }
    top(&mut decoder, root);
    let mut reader = Reader::new(decoder, options.plugins);
    for kind in EntityKind::ALL {
        if let Some(list) = root.get(kind.collection()) {
            reader.decoder.path.push(Step::field(kind.collection()));
            rows.collect(&mut reader, *kind, list, None);
            reader.decoder.path.pop();
        }
    }
    (rows, reader)
}

/// Checks everything but the lists themselves.
fn top(decoder: &mut Decoder<'_>, root: &Node) {
    let is_list = |key: &str| EntityKind::named(key).is_some();
    let entries = root.entries().iter().map(|entry| {
        // The lists are read elsewhere; here only their names count.
        let value = if is_list(&entry.key) {
            Node { span: entry.value.span, data: Data::List(Vec::new()) }
        } else {
            entry.value.clone()
        };
        Entry { key: entry.key.clone(), key_span: entry.key_span, value }
    });
    // The place of the whole file is its beginning.
    let span = root.span.map(|span| Span { end: span.start, ..span });
    let shallow = Node { span, data: Data::Map(entries.collect()) };
    decoder.record(&TOP, &shallow, Around::default());
}
