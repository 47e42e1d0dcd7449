//! The tables of an embedded store, and one transaction after another.

use std::{fs::OpenOptions, io, os::unix::fs::OpenOptionsExt, path::Path};

use redb::{
    Database, Error, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
    WriteTransaction, backends::FileBackend,
};
use uuid::Uuid;

use super::super::{
    History, Note, Revision, StoreError,
    rows::{Row, document, document_of, record, same},
};

/// Entities as JSON, by kind and id.
const ENTITIES: TableDefinition<'_, (&str, u128), &[u8]> = TableDefinition::new("entities");

/// Changes as JSON, by the revision they made.
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

/// A few numbers, by name.
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");

const FORMAT: &str = "format";
const REVISION: &str = "revision";
const LOG_BYTES: &str = "log_bytes";

/// What this version writes, and the latest that it reads.
const THIS_FORMAT: u64 = 1;

/// Entities in one document: what is decoded at once.
const PIECE: usize = 1_000;

/// Whether a file was as it had been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intact {
    Yes,
    /// It was not, and the engine has gone back to the last state that is.
    Repaired,
}

/// What became of a change.
pub(super) enum Outcome {
    /// It made this revision. With the part of it that made a difference, as JSON.
    Kept(Revision, String),
    Same,
    Conflict(Revision),
}

/// Opens the file, or makes it, and checks every page.
pub(super) fn open(path: &Path) -> Result<(Database, Intact), Error> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let mut database = Database::builder().create_with_backend(FileBackend::new(file)?)?;
    let intact = if database.check_integrity()? { Intact::Yes } else { Intact::Repaired };
    let transaction = database.begin_write()?;
    prepare(&transaction)?;
    transaction.commit()?;
    Ok((database, intact))
}

fn prepare(transaction: &WriteTransaction) -> Result<(), Error> {
    transaction.open_table(ENTITIES)?;
    transaction.open_table(LOG)?;
    let mut numbers = transaction.open_table(NUMBERS)?;
    let format = numbers.get(FORMAT)?.map(|format| format.value());
    match format {
        None => numbers.insert(FORMAT, THIS_FORMAT).map(drop)?,
        Some(format) if format > THIS_FORMAT => return Err(later(format)),
        Some(_) => {}
    }
    Ok(())
}

fn later(format: u64) -> Error {
    let text = format!("its format {format} is of a later version than this one, which knows {THIS_FORMAT}");
    Error::Io(io::Error::new(io::ErrorKind::Unsupported, text))
}

/// The engine's errors in the store's words.
pub(super) fn trouble(error: Error) -> StoreError {
    match error {
        Error::Io(error) if error.kind() == io::ErrorKind::Unsupported => {
            StoreError::Unavailable(error.to_string())
        }
        // A file that ends too early.
        Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            StoreError::Corrupt(error.to_string())
        }
        // What is no database at all.
        Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            StoreError::Corrupt(error.to_string())
        }
        Error::Io(error) => StoreError::Io(error),
        Error::Corrupted(_) | Error::TableTypeMismatch { .. } | Error::TableIsMultimap(_) => {
            StoreError::Corrupt(error.to_string())
        }
        other => StoreError::Unavailable(other.to_string()),
    }
}

pub(super) fn revision(database: &Database) -> Result<Revision, Error> {
    let numbers = database.begin_read()?.open_table(NUMBERS)?;
    Ok(Revision::new(numbers.get(REVISION)?.map_or(0, |number| number.value())))
}

/// The revision, and changes as JSON that make the configuration out of nothing.
pub(super) fn documents(database: &Database) -> Result<(Revision, Vec<String>), Error> {
    let transaction = database.begin_read()?;
    let numbers = transaction.open_table(NUMBERS)?;
    let revision = Revision::new(numbers.get(REVISION)?.map_or(0, |number| number.value()));
    let mut documents = Vec::new();
    let mut rows = Vec::with_capacity(PIECE);
    for entity in transaction.open_table(ENTITIES)?.iter()? {
        let (key, json) = entity?;
        let (kind, id) = key.value();
        rows.push(Row { kind: kind.to_owned(), id: Uuid::from_u128(id), json: Some(text(json.value())) });
        if rows.len() == PIECE {
            documents.push(document_of(&rows));
            rows.clear();
        }
    }
    documents.push(document_of(&rows));
    Ok((revision, documents))
}

/// Keeps what of `rows` makes a difference, on top of `base`.
pub(super) fn write(
    database: &Database,
    base: Revision,
    rows: &[Row],
    note: &Note,
    history: History,
) -> Result<Outcome, Error> {
    let transaction = database.begin_write()?;
    let newest = Revision::new(number(&transaction, REVISION)?);
    if newest != base {
        transaction.abort()?;
        return Ok(Outcome::Conflict(newest));
    }
    let (made, before) = exchange(&transaction, rows)?;
    if made.is_empty() {
        transaction.abort()?;
        return Ok(Outcome::Same);
    }
    let revision = base.next();
    let change = document(made.iter().map(|row| (row.kind.as_str(), row.id, row.json.as_deref())));
    log(&transaction, revision, &record(revision, note, &change, &document_of(&before)), history)?;
    transaction.open_table(NUMBERS)?.insert(REVISION, revision.get())?;
    transaction.commit()?;
    Ok(Outcome::Kept(revision, change))
}

/// Puts `rows` in without a word in the log: the store stands at `revision` then.
pub(super) fn seed(database: &Database, revision: Revision, rows: &[Row]) -> Result<(), Error> {
    let transaction = database.begin_write()?;
    exchange(&transaction, rows)?;
    transaction.open_table(LOG)?.retain(|_, _| false)?;
    let mut numbers = transaction.open_table(NUMBERS)?;
    numbers.insert(LOG_BYTES, 0)?;
    numbers.insert(REVISION, revision.get())?;
    drop(numbers);
    transaction.commit()?;
    Ok(())
}

/// The changes after `revision` as they stand in the log, oldest first.
pub(super) fn since(database: &Database, revision: Revision, most: usize) -> Result<Vec<Vec<u8>>, Error> {
    let log = database.begin_read()?.open_table(LOG)?;
    let mut entries = Vec::new();
    for entry in log.range(revision.next().get()..)?.take(most) {
        entries.push(entry?.1.value().to_vec());
    }
    Ok(entries)
}

/// The rows that make a difference, and what was there before in their places.
fn exchange<'a>(transaction: &WriteTransaction, rows: &'a [Row]) -> Result<(Vec<&'a Row>, Vec<Row>), Error> {
    let mut entities = transaction.open_table(ENTITIES)?;
    let (mut made, mut before) = (Vec::new(), Vec::new());
    for row in rows {
        let key = (row.kind.as_str(), row.id.as_u128());
        let old = match &row.json {
            Some(json) => entities.insert(key, json.as_bytes())?,
            None => entities.remove(key)?,
        };
        let old = old.map(|json| text(json.value()));
        if !same(old.as_deref(), row.json.as_deref()) {
            before.push(Row { kind: row.kind.clone(), id: row.id, json: old });
            made.push(row);
        }
    }
    Ok((made, before))
}

/// Adds a line to the log, and takes away what is too old.
fn log(
    transaction: &WriteTransaction,
    revision: Revision,
    line: &str,
    history: History,
) -> Result<(), Error> {
    let mut log = transaction.open_table(LOG)?;
    let mut bytes = number(transaction, LOG_BYTES)?.saturating_add(line.len() as u64);
    log.insert(revision.get(), line.as_bytes())?;
    while history.is_over(log.len()?, bytes) {
        let Some((_, line)) = log.pop_first()? else { break };
        bytes = bytes.saturating_sub(line.value().len() as u64);
    }
    transaction.open_table(NUMBERS)?.insert(LOG_BYTES, bytes)?;
    Ok(())
}

fn number(transaction: &WriteTransaction, name: &str) -> Result<u64, Error> {
    Ok(transaction.open_table(NUMBERS)?.get(name)?.map_or(0, |number| number.value()))
}

/// What was written as text is text.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
