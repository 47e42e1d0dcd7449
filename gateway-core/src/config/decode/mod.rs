//! From a file, or from typed entities, to a [`Config`] in which everything is right.
//!
//! Of a file first all ids are told, for names may refer forward. Then entities are taken one by one, whatever they
//! come from: the tables of fields, references, keys, the type. Problems are collected on the way; the end is a
//! configuration or all of them.

mod clash;
mod entity;
mod file;
mod legacy;
mod link;
mod options;
mod plugin;
mod record;
mod row;
mod rows;
mod rules;
mod secret;
mod shorthand;
mod single;
mod standing;
mod typed;
mod value;
mod world;

pub use options::{Environment, Options};

use link::{Linked, Linker};

use super::{Change, Checked, Config, document, index::Index, problem::Problems};

impl Config {
    /// Reads a declarative file, YAML or JSON, of `_format_version` 1.1, 2.1 or 3.0.
    ///
    /// Everything is checked, also what entities say of each other, and defaults are filled in,
    /// those of plugins too.
    ///
    /// ```
    /// use gateway_core::{config::Config, plugin::Registry};
    ///
    /// let text = "
    /// _format_version: '3.0'
    /// services:
    /// - name: users
    ///   url: http://users.internal:8080
    ///   routes:
    ///   - name: users
    ///     path: [/users]
    /// ";
    /// let problems = Config::parse(text, &Registry::empty()).expect_err("`path` is no field");
    /// assert_eq!(
    ///     problems.to_string().lines().next(),
    ///     Some("8:5: services[0].routes[0].path: unknown field (did you mean `paths`?)"),
    /// );
    /// assert!(Config::parse(&text.replace("path:", "paths:"), &Registry::empty()).is_ok());
    /// ```
    ///
    /// # Errors
    /// Every problem of the file, not only the first.
    pub fn parse<'a>(text: &str, options: impl Into<Options<'a>>) -> Result<Self, Problems> {
        Checked::parse(text, options).map(Checked::into_config)
    }

    /// Checks typed entities as [`parse`](Self::parse) checks a file: fields, references, keys,
    /// the configurations of plugins. The answer has the defaults of plugins filled in.
    ///
    /// ```
    /// use gateway_core::{config::{Config, Route, Service}, plugin::Registry};
    ///
    /// let lost = Route::new("users").to(&Service::new("users", "users.internal"));
    /// let problems = Config::default().with(lost).check(&Registry::empty()).expect_err("two problems");
    /// assert_eq!(problems.len(), 2, "no service of this id, and nothing to match: {problems}");
    /// ```
    ///
    /// # Errors
    /// Every problem, not only the first.
    pub fn check<'a>(&self, options: impl Into<Options<'a>>) -> Result<Self, Problems> {
        Checked::of(self, options).map(Checked::into_config)
    }
}

impl Checked {
    /// Reads a declarative file as [`Config::parse`] does.
    ///
    /// # Errors
    /// Every problem of the file, not only the first.
    pub fn parse<'a>(text: &str, options: impl Into<Options<'a>>) -> Result<Self, Problems> {
        let (mut root, problems) = document::load(text).map_err(|problem| Problems::new(vec![*problem]))?;
        legacy::migrate(&mut root);
        let (rows, reader) = file::rows(&root, problems, &options.into());
        let mut linker = Linker::new(&rows, reader);
        for (place, row) in rows.list.iter().enumerate() {
            linker.take(row, place as u128);
        }
        let refuse = |problems| Problems::new(problems).hiding(root.secrets());
        let Linked { config, held, uses } = linker.finish(&Index::default()).map_err(refuse)?;
        Ok(Self::with_index(config, held.into_iter().map(|held| (held.key, held.id)), uses))
    }

    /// Checks typed entities as [`Config::check`] does.
    ///
    /// # Errors
    /// Every problem, not only the first.
    pub fn of<'a>(config: &Config, options: impl Into<Options<'a>>) -> Result<Self, Problems> {
        Self::default().apply(&Config::default().diff(config), options).map(|(checked, _)| checked)
    }

    /// The configuration with `change` made, and what of the change made a difference. Only what the change touches
    /// is checked: the entities that it puts in, those that refer to what it takes out, and the keys of both.
    /// Defaults of plugins are filled in.
    ///
    /// ```
    /// use gateway_core::{config::{Change, Checked, Route, Service}, plugin::Registry};
    ///
    /// let (service, mut change) = (Service::new("users", "users.internal"), Change::default());
    /// let mut route = Route::new("users").to(&service);
    /// route.paths = Some(vec!["/users".into()]);
    /// change.services.insert(service.id, Some(service.clone().into()));
    /// change.routes.insert(route.id, Some(route.into()));
    /// let (checked, made) = Checked::default().apply(&change, &Registry::empty()).expect("right");
    /// assert_eq!((checked.config().routes.len(), made), (1, change));
    ///
    /// let mut change = Change::default();
    /// change.services.insert(service.id, None);
    /// let problems = checked.apply(&change, &Registry::empty()).expect_err("a route leads to it");
    /// assert!(problems.to_string().starts_with("routes[0].service: invalid reference"));
    /// ```
    ///
    /// # Errors
    /// Every problem that the whole configuration has with the change made.
    pub fn apply<'a>(
        &self,
        change: &Change,
        options: impl Into<Options<'a>>,
    ) -> Result<(Self, Change), Problems> {
        standing::apply(self, change, &options.into())
    }
}
