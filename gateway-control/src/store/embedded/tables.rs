//! The tables of an embedded store, and one transaction after another.

use std::{fs::OpenOptions, io, ops::RangeInclusive, os::unix::fs::OpenOptionsExt, path::Path};

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

/// Changes as JSON, by the revision they made; nothing for those that are in pieces.
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

/// Long changes, by revision and place. The engine gives each value one run of pages, as long as the next power of two:
/// a change of 20 MB would take 32, and leave a hole of as many where it goes.
const PIECES: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("log_pieces");

/// The longest change that stands in one piece, and the length of a piece, bytes: with its head it fills its pages.
const LONGEST: usize = 60 << 10;

/// Empty pages that a file may have in any case, bytes; then a quarter of what it has.
const WASTE: u64 = 8 << 20;

/// Pages that the engine keeps in memory, bytes. What is served is elsewhere: it reads all of them once, at a start.
const CACHE: usize = 8 << 20;

/// A few numbers, by name.
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");

const FORMAT: &str = "format";
const REVISION: &str = "revision";
const LOG_BYTES: &str = "log_bytes";

/// What this version writes, and the latest that it reads.
const THIS_FORMAT: u64 = 2;

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
    let mut database =
        Database::builder().set_cache_size(CACHE).create_with_backend(FileBackend::new(file)?)?;
    let intact = if database.check_integrity()? { Intact::Yes } else { Intact::Repaired };
    let transaction = database.begin_write()?;
    prepare(&transaction)?;
    transaction.commit()?;
    Ok((database, intact))
}

/// Gives pages that nothing stands in back to the system, where they are many. The engine does it in transactions, so
/// nothing is lost where it is cut off. True where it did.
pub(super) fn compact(database: &mut Database) -> Result<bool, Error> {
    let transaction = database.begin_write()?;
    let stats = transaction.stats()?;
    transaction.abort()?;
    let is_worth_it = stats.fragmented_bytes() > WASTE.max(stats.stored_bytes() / 4);
    Ok(is_worth_it && database.compact()?)
}

fn prepare(transaction: &WriteTransaction) -> Result<(), Error> {
    transaction.open_table(ENTITIES)?;
    transaction.open_table(LOG)?;
    transaction.open_table(PIECES)?;
    let mut numbers = transaction.open_table(NUMBERS)?;
    let format = numbers.get(FORMAT)?.map(|format| format.value());
    match format {
        Some(format) if format > THIS_FORMAT => return Err(later(format)),
        Some(THIS_FORMAT) => {}
        // An earlier one is understood.
        Some(_) | None => drop(numbers.insert(FORMAT, THIS_FORMAT)?),
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
    transaction.open_table(PIECES)?.retain(|_, _| false)?;
    let mut numbers = transaction.open_table(NUMBERS)?;
    numbers.insert(LOG_BYTES, 0)?;
    numbers.insert(REVISION, revision.get())?;
    drop(numbers);
    transaction.commit()?;
    Ok(())
}

/// The changes after `revision` as they stand in the log, oldest first.
pub(super) fn since(database: &Database, revision: Revision, most: usize) -> Result<Vec<Vec<u8>>, Error> {
    let transaction = database.begin_read()?;
    let (log, pieces) = (transaction.open_table(LOG)?, transaction.open_table(PIECES)?);
    let mut entries = Vec::new();
    for entry in log.range(revision.next().get()..)?.take(most) {
        let (revision, line) = entry?;
        let mut line = line.value().to_vec();
        if line.is_empty() {
            for piece in pieces.range(all_of(revision.value()))? {
                line.extend_from_slice(piece?.1.value());
            }
        }
        entries.push(line);
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
    let (mut log, mut pieces) = (transaction.open_table(LOG)?, transaction.open_table(PIECES)?);
    let mut bytes = number(transaction, LOG_BYTES)?.saturating_add(line.len() as u64);
    if line.len() <= LONGEST {
        log.insert(revision.get(), line.as_bytes())?;
    } else {
        log.insert(revision.get(), &b""[..])?;
        for (at, piece) in (0..).zip(line.as_bytes().chunks(LONGEST)) {
            pieces.insert((revision.get(), at), piece)?;
        }
    }
    while history.is_over(log.len()?, bytes) {
        let Some((oldest, line)) = log.pop_first()? else { break };
        bytes = bytes.saturating_sub(line.value().len() as u64);
        for piece in pieces.extract_from_if(all_of(oldest.value()), |_, _| true)? {
            bytes = bytes.saturating_sub(piece?.1.value().len() as u64);
        }
    }
    transaction.open_table(NUMBERS)?.insert(LOG_BYTES, bytes)?;
    Ok(())
}

/// The keys of all pieces of a change.
const fn all_of(revision: u64) -> RangeInclusive<(u64, u32)> {
    (revision, 0)..=(revision, u32::MAX)
}

fn number(transaction: &WriteTransaction, name: &str) -> Result<u64, Error> {
    Ok(transaction.open_table(NUMBERS)?.get(name)?.map_or(0, |number| number.value()))
}

/// What was written as text is text.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
