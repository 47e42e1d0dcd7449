//! What is to be served at first: a file, text, or the demo; nothing where a store says it.

use std::path::Path;

use gateway_core::{
    config::{Checked, Config},
    server::{Bound, Certificates},
};

use crate::{demo, failure::Failure, file, plugins::NodePlugins, settings::Settings, text};

/// What is to be served at first.
pub(crate) struct What {
    pub(crate) checked: Checked,
    pub(crate) certificates: Certificates,
    /// The text it was read from; none in the demo, and with a store.
    pub(crate) text: Option<String>,
    /// The demo's upstream.
    pub(crate) upstream: Option<Bound>,
}

impl What {
    pub(crate) fn of(settings: &Settings, plugins: &NodePlugins) -> Result<Self, Failure> {
        let what = match (&settings.store, &settings.config) {
            (Some(_), _) => Self::nothing()?,
            (None, Some(path)) => Self::file(path, plugins)?,
            (None, None) => Self::demo(plugins)?,
        };
        if let (Some(cert), Some(key)) = (&settings.tls_cert, &settings.tls_key) {
            what.certificates.set_default(&text::read(cert)?, &text::read(key)?)?;
        }
        Ok(what)
    }

    fn file(path: &Path, plugins: &NodePlugins) -> Result<Self, Failure> {
        let text = text::read(path)?;
        match file::parse(&text, plugins) {
            Ok((checked, certificates)) => {
                Ok(Self { checked, certificates, text: Some(text), upstream: None })
            }
            Err(refusal) => Err(file::refuse(&refusal, path, &text)),
        }
    }

    /// For a store, which comes later.
    fn nothing() -> Result<Self, Failure> {
        let certificates = Certificates::new(&Config::default())
            .map_err(|errors| Failure::new(errors.first().map_or_else(String::new, ToString::to_string)))?;
        Ok(Self { checked: Checked::default(), certificates, text: None, upstream: None })
    }

    fn demo(plugins: &NodePlugins) -> Result<Self, Failure> {
        let (address, upstream) = demo::bind()?;
        let checked = Checked::of(&demo::config(address), &plugins.registry)?;
        Ok(Self { checked, upstream: Some(upstream), ..Self::nothing()? })
    }
}
