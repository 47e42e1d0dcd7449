//! The tables in the database, and one transaction after another.

use tokio_postgres::{Client, IsolationLevel, Row as DatabaseRow, Transaction};
use uuid::Uuid;

use super::{
    super::{
        History, Note, Revision, StoreError,
        rows::{Row, document_of, record, same},
    },
    leases,
};

/// What this version writes, and the latest that it reads.
const THIS_FORMAT: i32 = 1;

/// Entities in one document: what is decoded at once.
const PIECE: usize = 1_000;

const MAKE: &str = "
CREATE TABLE IF NOT EXISTS gateway_entities (
    kind text NOT NULL, id uuid NOT NULL, entity json NOT NULL, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS gateway_log (
    revision bigint PRIMARY KEY, entry json NOT NULL, bytes bigint NOT NULL);
CREATE TABLE IF NOT EXISTS gateway_leases (
    target uuid PRIMARY KEY, renewals bigint NOT NULL);
CREATE TABLE IF NOT EXISTS gateway_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), format integer NOT NULL, revision bigint NOT NULL);
INSERT INTO gateway_head (format, revision) VALUES (1, 0) ON CONFLICT DO NOTHING;
";

/// What is set on each connection. What is acknowledged has to survive the server, also where it is told otherwise.
const SETTINGS: &str = "
SET statement_timeout = '25s';
SET lock_timeout = '10s';
SET idle_in_transaction_session_timeout = '30s';
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
LISTEN gateway_changes;
";

/// Of a lock that those take who make the tables: 'gate' as a number.
const MAKING: i64 = 0x6761_7465;

/// What became of a change.
pub(super) enum Outcome {
    Kept(Revision),
    Same,
    Conflict(Revision),
}

/// Makes the tables where they are not there, and listens. Where there was a revision before, they were lost.
pub(super) async fn prepare(client: &mut Client, known: Revision) -> Result<(), StoreError> {
    // Who may only use the tables need not be allowed to make them.
    let all = "SELECT to_regclass('gateway_head') IS NOT NULL AND to_regclass('gateway_leases') IS NOT NULL";
    let there = client.query_one(all, &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        lost(known, Revision::NONE)?;
        let transaction = client.transaction().await?;
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MAKING]).await?;
        transaction.batch_execute(MAKE).await?;
        transaction.commit().await?;
    }
    let format: i32 = client.query_one("SELECT format FROM gateway_head", &[]).await?.try_get(0)?;
    if format > THIS_FORMAT {
        let text =
            format!("its format {format} is of a later version than this one, which knows {THIS_FORMAT}");
        return Err(StoreError::Unavailable(text));
    }
    client.batch_execute(SETTINGS).await?;
    // A database that takes no writes, say because its disk is full, can be followed all the same.
    let is_read_only = "SELECT current_setting('transaction_read_only')::boolean";
    if client.query_one(is_read_only, &[]).await?.try_get(0)? {
        return Ok(());
    }
    leases::forget(client).await
}

/// A database that begins anew is none that a gateway may follow: nothing would be left of what it serves. No change
/// leads back to the beginning.
pub(super) fn lost(known: Revision, newest: Revision) -> Result<(), StoreError> {
    if known == Revision::NONE || newest != Revision::NONE {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!(
        "it is empty, and had revision {known}: restore it, or remove the copy of it and start again to begin anew"
    )))
}

pub(super) async fn revision(client: &Client) -> Result<Revision, StoreError> {
    number(&client.query_one("SELECT revision FROM gateway_head", &[]).await?)
}

/// The revision, and changes as JSON that make the configuration out of nothing.
pub(super) async fn documents(client: &mut Client) -> Result<(Revision, Vec<String>), StoreError> {
    let begin = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let transaction = begin.start().await?;
    let revision = number(&transaction.query_one("SELECT revision FROM gateway_head", &[]).await?)?;
    let all = "SELECT kind, id::text, entity::text FROM gateway_entities ORDER BY kind, id";
    let rows = transaction.query(all, &[]).await?;
    let rows = rows.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    transaction.commit().await?;
    Ok((revision, rows.chunks(PIECE).map(document_of).collect()))
}

/// The changes after `revision` as they stand in the log, oldest first.
pub(super) async fn since(
    client: &Client,
    revision: Revision,
    most: usize,
) -> Result<Vec<(Revision, String)>, StoreError> {
    let text = "SELECT revision, entry::text FROM gateway_log WHERE revision > $1 ORDER BY revision LIMIT $2";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = client.query(text, &[&signed(revision), &most]).await?;
    rows.iter().map(|row| Ok((number(row)?, row.try_get(1)?))).collect()
}

/// Keeps what of `rows` makes a difference, on top of `base`.
pub(super) async fn write(
    client: &mut Client,
    base: Revision,
    rows: &[Row],
    note: &Note,
    history: History,
) -> Result<Outcome, StoreError> {
    let transaction = client.transaction().await?;
    // Writers go one after another from here on.
    let head = transaction.query_one("SELECT revision FROM gateway_head FOR UPDATE", &[]).await?;
    let newest = number(&head)?;
    if newest != base {
        return Ok(Outcome::Conflict(newest));
    }
    let (made, before) = differing(&transaction, rows).await?;
    if made.is_empty() {
        return Ok(Outcome::Same);
    }
    exchange(&transaction, &made).await?;
    let revision = base.next();
    let entry = record(revision, note, &document_of(&made), &document_of(&before));
    log(&transaction, revision, &entry, history).await?;
    transaction.execute("UPDATE gateway_head SET revision = $1", &[&signed(revision)]).await?;
    // It goes out with the commit. No data in it: who hears it looks.
    transaction.batch_execute("NOTIFY gateway_changes").await?;
    transaction.commit().await?;
    Ok(Outcome::Kept(revision))
}

/// The rows that make a difference, and what is there now in their places.
async fn differing(transaction: &Transaction<'_>, rows: &[Row]) -> Result<(Vec<Row>, Vec<Row>), StoreError> {
    let text = "SELECT wanted.kind, wanted.id::text, entity::text
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (kind, id, place)
        LEFT JOIN gateway_entities AS kept ON kept.kind = wanted.kind AND kept.id = wanted.id::uuid
        ORDER BY place";
    let (kinds, ids) = keys(rows.iter());
    let kept = transaction.query(text, &[&kinds, &ids]).await?;
    let kept = kept.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    let pairs = rows.iter().cloned().zip(kept);
    Ok(pairs.filter(|(new, old)| !same(old.json.as_deref(), new.json.as_deref())).unzip())
}

async fn exchange(transaction: &Transaction<'_>, rows: &[Row]) -> Result<(), StoreError> {
    let (kinds, ids) = keys(rows.iter().filter(|row| row.json.is_none()));
    let text = "DELETE FROM gateway_entities USING unnest($1::text[], $2::text[]) AS gone (kind, id)
        WHERE gateway_entities.kind = gone.kind AND gateway_entities.id = gone.id::uuid";
    transaction.execute(text, &[&kinds, &ids]).await?;
    let (kinds, ids) = keys(rows.iter().filter(|row| row.json.is_some()));
    let entities: Vec<&str> = rows.iter().filter_map(|row| row.json.as_deref()).collect();
    let text = "INSERT INTO gateway_entities (kind, id, entity)
        SELECT kind, id::uuid, entity::json FROM unnest($1::text[], $2::text[], $3::text[]) AS new (kind, id, entity)
        ON CONFLICT (kind, id) DO UPDATE SET entity = excluded.entity";
    transaction.execute(text, &[&kinds, &ids, &entities]).await?;
    Ok(())
}

/// Adds a line to the log, and takes away what is too old.
async fn log(
    transaction: &Transaction<'_>,
    revision: Revision,
    entry: &str,
    history: History,
) -> Result<(), StoreError> {
    let bytes = i64::try_from(entry.len()).unwrap_or(i64::MAX);
    let text = "INSERT INTO gateway_log (revision, entry, bytes) VALUES ($1, $2::text::json, $3)";
    transaction.execute(text, &[&signed(revision), &entry, &bytes]).await?;
    let text = "DELETE FROM gateway_log WHERE revision <> $1 AND revision IN (
        SELECT revision FROM (
            SELECT revision, sum(bytes) OVER (ORDER BY revision DESC) AS longer FROM gateway_log) AS summed
        WHERE longer > $2::bigint OR revision <= $1::bigint - $3::bigint)";
    let most = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    transaction.execute(text, &[&signed(revision), &most(history.bytes), &most(history.revisions)]).await?;
    Ok(())
}

fn keys<'a>(rows: impl Iterator<Item = &'a Row>) -> (Vec<&'a str>, Vec<String>) {
    rows.map(|row| (row.kind.as_str(), row.id.to_string())).unzip()
}

fn row(row: &DatabaseRow) -> Result<Row, StoreError> {
    let id: &str = row.try_get(1)?;
    let id = Uuid::parse_str(id).map_err(|error| StoreError::Corrupt(format!("an id: {error}")))?;
    Ok(Row { kind: row.try_get(0)?, id, json: row.try_get(2)? })
}

fn number(row: &DatabaseRow) -> Result<Revision, StoreError> {
    let number: i64 = row.try_get(0)?;
    let number = u64::try_from(number).map_err(|_| StoreError::Corrupt("a negative revision".to_owned()))?;
    Ok(Revision::new(number))
}

/// The database has no numbers without a sign.
fn signed(revision: Revision) -> i64 {
    i64::try_from(revision.get()).unwrap_or(i64::MAX)
}
