//! Entities in a store, in place of a file.

use std::{path::Path, sync::Arc};

use gateway_control::{
    Control, Expire, Follow, Refusal,
    store::{Embedded, Note, Revision, Store, StoreError},
};
use gateway_core::{Gateway, config::Config, server::Certificates};
use tracing::{error, info, warn};

use crate::{failure::Failure, file, settings::Settings, text};

/// How the address of a database begins.
const DATABASE: [&str; 2] = ["postgres://", "postgresql://"];

/// The store that the settings name, if they name one.
pub(crate) fn open(settings: &Settings) -> Result<Option<Arc<dyn Store>>, Failure> {
    let Some(place) = &settings.store else { return Ok(None) };
    let opened = match place.split_once("://") {
        _ if is_database(place) => database(place, settings),
        Some((scheme, _)) => Err(Failure::new(format!(
            "'{scheme}://' is no store that there is: a folder, or postgres://USER@HOST/DATABASE"
        ))),
        None => folder(place),
    };
    opened.map(Some).map_err(|failure| Failure::new(format!("store: {failure}")))
}

fn is_database(place: &str) -> bool {
    DATABASE.iter().any(|scheme| place.starts_with(scheme))
}

fn folder(place: &str) -> Result<Arc<dyn Store>, Failure> {
    let opened = Embedded::open(place).map_err(|error| match error {
        StoreError::Io(_) => Failure::new(format!("{place}: {error}")),
        named => named.into(),
    });
    Ok(Arc::new(opened?))
}

#[cfg(feature = "postgres")]
fn database(url: &str, settings: &Settings) -> Result<Arc<dyn Store>, Failure> {
    let copy = settings.store_copy.as_deref().unwrap_or(Path::new("/var/lib/gateway"));
    let anchors = settings.store_ca.as_deref().map(text::read).transpose()?;
    Ok(Arc::new(gateway_control::store::Postgres::open_with(url, copy, anchors.as_deref())?))
}

#[cfg(not(feature = "postgres"))]
fn database(_: &str, _: &Settings) -> Result<Arc<dyn Store>, Failure> {
    Err(Failure::new("this gateway was built without PostgreSQL (feature postgres)"))
}

/// What people call the store: no password is in it.
pub(crate) fn name(place: &str) -> String {
    let (scheme, rest) = place.split_once("://").filter(|_| is_database(place)).unwrap_or(("", place));
    if scheme.is_empty() {
        return place.to_owned();
    }
    let without_parameters = rest.split('?').next().unwrap_or_default();
    let host = without_parameters.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}")
}

/// Control over `gateway`, which serves by the store from now on. A file fills the store once, while it is empty.
pub(crate) fn control(
    gateway: Gateway,
    store: Arc<dyn Store>,
    certificates: &Certificates,
    settings: &Settings,
) -> Result<Control, Failure> {
    let control = Control::stored(gateway, store).map_err(|refusal| refused(&refusal))?;
    let control = control.certificates(certificates.clone());
    if let Some(path) = &settings.config {
        fill(&control, path)?;
    }
    let config = control.gateway().snapshot().config().clone();
    certificates.replace(&config).map_err(|errors| refused(&Refusal::Certificates(errors)))?;
    Ok(control)
}

fn refused(refusal: &Refusal) -> Failure {
    let way_out =
        "`gateway export --store` writes it as a file, which can be put right and fill another store";
    Failure::new(format!("what the store keeps is refused:\n{refusal}\n{way_out}"))
}

/// What a store keeps that no gateway has open, as a declarative file. It need not be right.
pub(crate) fn text(place: &str) -> Result<String, Failure> {
    let folder = Path::new(place);
    if !is_database(place) && !["store.redb", "copy.jsonl"].iter().any(|file| folder.join(file).exists()) {
        return Err(Failure::new(format!("there is no store in {place}")));
    }
    let settings = Settings { store: Some(place.to_owned()), ..Settings::default() };
    let store = open(&settings)?.ok_or_else(|| Failure::new("there is no store"))?;
    Ok(store.read()?.config.to_yaml())
}

fn fill(control: &Control, path: &Path) -> Result<(), Failure> {
    let name = path.display();
    match control.revision() {
        _ if is_empty(control) => {
            let text = text::read(path)?;
            let note = Note::new("gateway run", format!("the first content, of {name}"));
            let loaded =
                control.replace(&text, &note).map_err(|refusal| file::refuse(&refusal, path, &text))?;
            info!(file = %name, services = loaded.services, routes = loaded.routes, "the store was empty and is filled");
        }
        revision => {
            let revision = revision.unwrap_or_default();
            info!(file = %name, %revision, "the store has entities: the file is not read, `gateway import` does that");
        }
    }
    Ok(())
}

/// Whether nothing was kept yet, or nothing is left. What is only away is not written over.
fn is_empty(control: &Control) -> bool {
    match control.incomplete() {
        None => control.revision().is_none_or(|revision| revision == Revision::NONE),
        Some(incomplete) => !incomplete.comes_back && *control.config() == Config::default(),
    }
}

/// Serves what other gateways write into the same store, too.
pub(crate) fn follow(control: &Arc<Control>) -> Result<Follow, Failure> {
    let report = |caught_up: Result<Revision, Refusal>| match caught_up {
        Ok(revision) => info!(%revision, "serving what another gateway has changed"),
        Err(problem) => {
            error!(%problem, "a change of another gateway is refused here, what ran before goes on");
        }
    };
    Ok(Follow::start(Arc::clone(control), report)?)
}

/// Takes out targets that give no sign of life any more, and credentials whose time is over.
pub(crate) fn expire(control: &Arc<Control>) -> Result<Expire, Failure> {
    let report = |expired: Result<usize, Refusal>| match expired {
        Ok(entities) => info!(entities, "their ttl is over: taken out"),
        Err(problem) => warn!(%problem, "what has a ttl stays for now"),
    };
    Ok(Expire::start(Arc::clone(control), report)?)
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_password_is_not_shown() {
        for (place, shown) in [
            ("/var/lib/gateway", "/var/lib/gateway"),
            ("postgres://me:s3cret@db:5432/kong?sslmode=disable", "postgres://db:5432/kong"),
            ("postgresql://db/kong", "postgresql://db/kong"),
            ("postgres://db/kong?password=s3cret", "postgres://db/kong"),
        ] {
            assert_eq!(name(place), shown);
        }
    }
}
