//! Settings of Kong: `kong.conf` and the variables `KONG_*`, as far as they have a meaning here.

mod admin_tls;
mod given;
mod meaning;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, env, fs, path::Path};

use toml::Table;

use self::{
    admin_tls::AdminTls,
    given::{Given, lines, variable},
    meaning::{Meaning, translate},
};
use super::{Settings, table::put};
use crate::failure::Failure;

/// What stands in Kong's settings.
#[derive(Debug, Default)]
pub(crate) struct KongConf {
    /// In our words.
    pub(crate) settings: Table,
    /// The keys that were read.
    pub(crate) read: Vec<String>,
    /// Those without a meaning here, with what is there in their place, if anything.
    pub(crate) ignored: Vec<String>,
}

/// The settings in the file, if there is one, and over them those in the variables.
pub(crate) fn read(file: Option<&Path>) -> Result<KongConf, Failure> {
    let mut given = BTreeMap::new();
    if let Some(path) = file {
        let name = path.display().to_string();
        let text =
            fs::read_to_string(path).map_err(|error| Failure::new(format!("cannot read {name}: {error}")))?;
        given = lines(&text, &name)?;
    }
    given.extend(env::vars().filter_map(|(name, value)| variable(&name, value)));
    meant(given)
}

/// Turns what is given into our settings.
fn meant(given: BTreeMap<String, Given>) -> Result<KongConf, Failure> {
    let mut conf = KongConf::default();
    let admin = AdminTls::of(&given);
    for (key, Given { value, origin }) in given {
        let refused = |what: String| Failure::new(format!("{origin}: {key} = {value}: {what}"));
        let meaning = match admin.translate(&key, &value) {
            Some(meaning) => meaning,
            None => translate(&key, &value).map_err(&refused)?,
        };
        match meaning {
            Meaning::Same(settings) => {
                for (place, value) in settings {
                    put(&mut conf.settings, place, value);
                }
                alone(&conf.settings).map_err(refused)?;
                conf.read.push(key);
            }
            Meaning::Ignored("") => conf.ignored.push(key),
            Meaning::Ignored(instead) => conf.ignored.push(format!("{key} ({instead})")),
        }
    }
    Ok(conf)
}

/// Whether these are settings, before anything else is put over them.
fn alone(settings: &Table) -> Result<(), String> {
    let settings: Result<Settings, _> = settings.clone().try_into();
    settings.map(drop).map_err(|error| error.message().trim_end().to_owned())
}
