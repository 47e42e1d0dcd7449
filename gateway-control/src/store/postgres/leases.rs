//! Signs of life of targets, which all gateways count together. They are no revisions, and no notice goes out.

use std::collections::HashMap;

use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::super::StoreError;

/// Counts one more sign of each.
pub(super) async fn renew(client: &Client, targets: &[Uuid]) -> Result<HashMap<Uuid, u64>, StoreError> {
    // In one order for all: two who renew the same ones never wait for each other.
    let text = "INSERT INTO gateway_leases (target, renewals)
        SELECT target::uuid, 1 FROM unnest($1::text[]) AS living (target) ORDER BY target::uuid
        ON CONFLICT (target) DO UPDATE SET renewals = gateway_leases.renewals + 1
        RETURNING target::text, renewals";
    counts(&client.query(text, &[&texts(targets)]).await?)
}

/// How many signs each has had.
pub(super) async fn renewals(client: &Client, targets: &[Uuid]) -> Result<HashMap<Uuid, u64>, StoreError> {
    let text = "SELECT target::text, renewals FROM gateway_leases WHERE target = ANY($1::text[]::uuid[])";
    counts(&client.query(text, &[&texts(targets)]).await?)
}

/// Forgets targets that are not there any more.
pub(super) async fn forget(client: &Client) -> Result<(), StoreError> {
    let text = "DELETE FROM gateway_leases WHERE NOT EXISTS (
        SELECT FROM gateway_entities WHERE kind = 'targets' AND id = gateway_leases.target)";
    Ok(client.batch_execute(text).await?)
}

fn texts(targets: &[Uuid]) -> Vec<String> {
    targets.iter().map(Uuid::to_string).collect()
}

fn counts(rows: &[Row]) -> Result<HashMap<Uuid, u64>, StoreError> {
    let count = |row: &Row| {
        let (target, renewals): (&str, i64) = (row.try_get(0)?, row.try_get(1)?);
        let target =
            Uuid::parse_str(target).map_err(|error| StoreError::Corrupt(format!("an id: {error}")))?;
        Ok((target, renewals.unsigned_abs()))
    };
    rows.iter().map(count).collect()
}
