//! What every store does, told as a model: a list of configurations, one a revision.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "not every test uses all; a test fails by panicking"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use gateway_control::store::{Note, Revision, Store, StoreError};
use gateway_core::config::{Change, Config, Consumer, Plugin, Service};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::json;
use uuid::Uuid;

/// What is done to a store.
#[derive(Clone, Debug)]
enum Step {
    /// Entities by number: another value, or gone.
    Write(Vec<(u8, Option<u8>)>),
    /// The same, by somebody who has missed the last change.
    Late(Vec<(u8, Option<u8>)>),
    /// Nothing new, written.
    Same,
    /// The process ends, and another one goes on.
    Again,
}

fn step() -> impl Strategy<Value = Step> {
    let entities = || prop::collection::vec((0..12_u8, prop::option::weighted(0.7, 0..4_u8)), 1..6);
    prop_oneof![
        6 => entities().prop_map(Step::Write),
        2 => entities().prop_map(Step::Late),
        1 => Just(Step::Same),
        1 => Just(Step::Again),
    ]
}

/// Runs `cases` stories on stores that `fresh` makes; `again` closes one and opens it once more.
pub(crate) fn behaves<S: Store>(cases: u32, fresh: impl Fn() -> S, again: impl Fn(S) -> S) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let stories = prop::collection::vec(step(), 1..20);
    let run = |story: Vec<Step>| {
        let mut store = fresh();
        let mut model = vec![Config::default()];
        for step in story {
            store = take(store, &mut model, step, &again)?;
            agree(&store, &model)?;
        }
        Ok(())
    };
    TestRunner::new(config).run(&stories, run).unwrap();
}

fn take<S: Store>(
    store: S,
    model: &mut Vec<Config>,
    step: Step,
    again: impl Fn(S) -> S,
) -> Result<S, TestCaseError> {
    let now = model.last().cloned().unwrap_or_default();
    let newest = Revision::new(model.len() as u64 - 1);
    let note = Note::new("proptest", format!("{step:?}"));
    match step {
        Step::Write(entities) => {
            let change = change(&entities);
            let next = now.apply(&change);
            let differs = next != now;
            let revision = store.write(newest, &change, &note).unwrap();
            prop_assert_eq!(revision, if differs { newest.next() } else { newest });
            model.extend(differs.then_some(next));
        }
        Step::Late(entities) => {
            let late =
                if newest == Revision::NONE { Revision::new(9) } else { Revision::new(newest.get() - 1) };
            let refused = store.write(late, &change(&entities), &note).unwrap_err();
            prop_assert!(
                matches!(refused, StoreError::Conflict { newest: told } if told == newest),
                "{}",
                refused
            );
        }
        Step::Same => {
            prop_assert_eq!(store.write(newest, &Config::default().diff(&now), &note).unwrap(), newest);
        }
        Step::Again => return Ok(again(store)),
    }
    Ok(store)
}

/// Whether the store tells what the model does: now, then, and each step between.
fn agree(store: &impl Store, model: &[Config]) -> Result<(), TestCaseError> {
    let stored = store.read().unwrap();
    let newest = Revision::new(model.len() as u64 - 1);
    prop_assert_eq!(&stored.config, model.last().unwrap());
    prop_assert_eq!(stored.revision, newest);
    prop_assert_eq!(*store.newest().borrow(), newest);
    let entries = store.since(Revision::NONE, usize::MAX).unwrap();
    prop_assert_eq!(entries.len(), model.len() - 1);
    for (entry, (number, pair)) in entries.iter().zip(model.windows(2).enumerate()) {
        prop_assert_eq!(entry.revision, Revision::new(number as u64 + 1));
        prop_assert_eq!(&entry.change, &pair[0].diff(&pair[1]));
        prop_assert_eq!(&entry.before, &pair[1].diff(&pair[0]));
        prop_assert_eq!(&entry.note.who, "proptest");
        prop_assert!(entry.at > 1_700_000_000);
    }
    let middle = Revision::new(newest.get() / 2);
    prop_assert_eq!(&store.at(middle).unwrap().unwrap(), &model[middle.get() as usize]);
    let some = store.since(middle, 2).unwrap();
    prop_assert!(some.len() <= 2 && some.iter().all(|entry| entry.revision > middle));
    prop_assert_eq!(some.first().map(|entry| entry.revision), (middle < newest).then(|| middle.next()));
    Ok(())
}

/// Entities of a few kinds, by number.
fn change(entities: &[(u8, Option<u8>)]) -> Change {
    let mut change = Change::default();
    for (number, value) in entities {
        let name = format!("e{number}");
        match number % 3 {
            0 => {
                let mut service = Service::new(&name, "h");
                service.port = 80 + u16::from(value.unwrap_or(0));
                change.services.insert(service.id, value.map(|_| Arc::new(service)));
            }
            1 => {
                let mut consumer = Consumer::new(&name);
                consumer.tags = Some(vec![format!("é\"\n{value:?}")]);
                change.consumers.insert(consumer.id, value.map(|_| Arc::new(consumer)));
            }
            _ => {
                let config =
                    json!({ "value": value, "secret": "{vault://env/x}", "none": null, "half": 0.5 });
                let mut plugin = Plugin::new("cors", config);
                plugin.id = Uuid::from_u128(u128::from(*number));
                change.plugins.insert(plugin.id, value.map(|_| Arc::new(plugin)));
            }
        }
    }
    change
}

/// A directory that goes with the test.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("gateway-store-{}", Uuid::new_v4()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// The change that makes revision `revision` in tests that count: one service of fifty says it.
pub(crate) fn counted(revision: Revision) -> Change {
    let service = Arc::new(said(revision));
    let mut change = Change::default();
    change.services.insert(service.id, Some(service));
    change
}

fn said(revision: Revision) -> Service {
    let mut service = Service::new(&format!("s{}", revision.get() % 50), "h");
    service.created_at = revision.get();
    service
}

/// What a store with `revision` counted changes has.
pub(crate) fn count(revision: Revision) -> Config {
    let first = revision.get().saturating_sub(49).max(1);
    (first..=revision.get())
        .fold(Config::default(), |config, number| config.with(said(Revision::new(number))))
}
