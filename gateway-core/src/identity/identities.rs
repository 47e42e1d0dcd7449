//! All who may call.

use std::{collections::BTreeSet, fmt, sync::Arc};

use imbl::{HashMap, OrdMap};
use uuid::Uuid;

use super::{Identity, keys::Keys};
use crate::{
    clock::unix_seconds,
    config::{Change, Checked, Config, Consumer, CredentialKind},
};

/// All consumers of a configuration and their credentials, by what requests show of them. Clones share what did not
/// change.
#[derive(Clone, Default)]
pub struct Identities {
    keys: Keys,
    credentials: OrdMap<Uuid, Arc<Identity>>,
    consumers: OrdMap<Uuid, Arc<Identity>>,
    usernames: HashMap<Arc<str>, Uuid>,
    custom_ids: HashMap<Arc<str>, Uuid>,
}

impl Identities {
    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.consumers.is_empty()
    }

    /// The owner of the credential with this key: a `key`, `username` or `client_id`, as its kind has it. One whose
    /// time to live is over is not found.
    #[must_use]
    pub fn by_key(&self, kind: CredentialKind, key: &str) -> Option<&Arc<Identity>> {
        self.keys.get(kind, key).filter(|identity| !identity.expired(unix_seconds))
    }

    /// The owner of the credential with this id.
    #[must_use]
    pub fn by_credential(&self, id: Uuid) -> Option<&Arc<Identity>> {
        self.credentials.get(&id).filter(|identity| !identity.expired(unix_seconds))
    }

    /// The consumer with this id.
    #[must_use]
    pub fn consumer(&self, id: Uuid) -> Option<&Arc<Identity>> {
        self.consumers.get(&id)
    }

    /// The consumer with this id or username, as a plugin's `anonymous` names it.
    #[must_use]
    pub fn consumer_named(&self, name: &str) -> Option<&Arc<Identity>> {
        let by_id = Uuid::try_parse(name).ok().and_then(|id| self.consumer(id));
        by_id.or_else(|| self.consumer(*self.usernames.get(name)?))
    }

    /// The consumer whose id in another system this is: its `custom_id`.
    #[must_use]
    pub fn consumer_with_custom_id(&self, id: &str) -> Option<&Arc<Identity>> {
        self.consumer(*self.custom_ids.get(id)?)
    }

    /// The same with `change` made, which has led to `checked`. It costs as much as the change touches: credentials
    /// that it names, and those of consumers that it names or whose groups it changes.
    pub(crate) fn change(&self, change: &Change, previous: &Config, checked: &Checked) -> Self {
        let mut next = self.clone();
        let config = checked.config();
        let touched = callers(change, previous);
        for id in &touched {
            next.forget_consumer(*id);
            if let Some(consumer) = config.consumers.get(id) {
                next.put_consumer(consumer, checked);
            }
        }
        let of_touched = touched.iter().flat_map(|id| checked.credentials_of(*id));
        let credentials: BTreeSet<_> = change.credentials.keys().copied().chain(of_touched).collect();
        for id in credentials {
            next.forget_credential(id);
            next.put_credential(id, config);
        }
        next
    }

    fn put_consumer(&mut self, consumer: &Arc<Consumer>, checked: &Checked) {
        let credentials = &checked.config().credentials;
        let group = |id| credentials.get(&id)?.fields.get("group")?.as_str().map(Arc::from);
        let groups = checked.groups_of(consumer.id).filter_map(group);
        self.consumers.insert(consumer.id, Arc::new(Identity::new(consumer, groups)));
        if let Some(name) = &consumer.username {
            self.usernames.insert(name.as_str().into(), consumer.id);
        }
        if let Some(custom) = &consumer.custom_id {
            self.custom_ids.insert(custom.as_str().into(), consumer.id);
        }
    }

    fn forget_consumer(&mut self, id: Uuid) {
        let Some(known) = self.consumers.remove(&id) else { return };
        let Consumer { username, custom_id, .. } = &**known.consumer();
        forget(&mut self.usernames, username.as_deref(), id);
        forget(&mut self.custom_ids, custom_id.as_deref(), id);
    }

    fn put_credential(&mut self, id: Uuid, config: &Config) {
        let credential = config.credentials.get(&id).filter(|it| it.kind != CredentialKind::Acls);
        let Some(credential) = credential else { return };
        let Some(known) = self.consumers.get(&credential.consumer.id) else { return };
        let identity = Arc::new(known.by(credential));
        self.keys.insert(&identity);
        self.credentials.insert(id, identity);
    }

    fn forget_credential(&mut self, id: Uuid) {
        if let Some(identity) = self.credentials.remove(&id) {
            self.keys.remove(&identity);
        }
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Identities");
        debug.field("consumers", &self.consumers.len()).field("credentials", &self.credentials.len());
        debug.finish_non_exhaustive()
    }
}

/// Takes a name away, unless it is somebody else's by now.
fn forget(names: &mut HashMap<Arc<str>, Uuid>, name: Option<&str>, id: Uuid) {
    if let Some(name) = name.filter(|name| names.get(*name) == Some(&id)) {
        names.remove(name);
    }
}

/// The consumers that differ, or whose groups do.
fn callers(change: &Change, previous: &Config) -> BTreeSet<Uuid> {
    let before = change.credentials.keys().filter_map(|id| previous.credentials.get(id));
    let groups = before.chain(change.credentials.values().flatten());
    let groups = groups.filter(|credential| credential.kind == CredentialKind::Acls);
    groups.map(|group| group.consumer.id).chain(change.consumers.keys().copied()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::HeaderMap;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{Identities, Identity, unix_seconds};
    use crate::{
        Gateway,
        config::{
            Change, Checked, Config, Consumer,
            CredentialKind::{self, *},
            Route,
        },
        identity::As,
        plugin::Registry,
    };

    fn checked(file: Value) -> Checked {
        let mut file = file;
        file["_format_version"] = json!("3.0");
        Checked::parse(&file.to_string(), &Registry::empty()).unwrap()
    }

    fn of(file: Value) -> Identities {
        let checked = checked(file);
        let change = Config::default().diff(checked.config());
        Identities::default().change(&change, &Config::default(), &checked)
    }

    fn alice() -> Value {
        json!({ "consumers": [{
            "username": "alice", "custom_id": "a-1",
            "keyauth_credentials": [{ "id": "00000000-0000-0000-0000-000000000001", "key": "k" }],
            "basicauth_credentials": [{ "username": "al", "password": "x" }],
            "hmacauth_credentials": [{ "username": "ah", "secret": "x" }],
            "jwt_secrets": [{ "key": "issuer", "secret": "x" }],
            "oauth2_credentials": [{ "name": "app", "client_id": "c1", "client_secret": "x" }],
            "acls": [{ "group": "b" }, { "group": "a" }],
        }] })
    }

    /// The fields that `identity` leaves of what a client has sent.
    fn written(identities: &Identities, kind: CredentialKind, key: &str) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        for name in ["x-consumer-id", "x-anonymous-consumer", "x-credential-identifier"] {
            headers.append(name, "spoofed".parse().unwrap());
        }
        identities.by_key(kind, key).unwrap().write(As::Known, &mut headers);
        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
    }

    /// compat P17, P21
    #[test]
    fn each_kind_of_credential_is_found_and_named_as_in_kong() {
        let identities = of(alice());
        let id = Consumer::new("alice").id.to_string();
        for (kind, key, identifier) in [
            (KeyauthCredentials, "k", "00000000-0000-0000-0000-000000000001"),
            (BasicauthCredentials, "al", "al"),
            (HmacauthCredentials, "ah", "ah"),
            (JwtSecrets, "issuer", "issuer"),
            (Oauth2Credentials, "c1", "c1"),
        ] {
            let mut fields = written(&identities, kind, key);
            fields.sort();
            let field = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            let expected = [
                ("x-consumer-custom-id", "a-1"),
                ("x-consumer-id", &id),
                ("x-consumer-username", "alice"),
                ("x-credential-identifier", identifier),
            ];
            assert_eq!(fields, expected.map(field), "{kind:?}");
            assert!(identities.by_key(kind, "other").is_none());
        }
        assert!(identities.by_key(KeyauthCredentials, "al").is_none(), "kinds do not mix");
        assert!(identities.by_key(Acls, "a").is_none() && identities.by_key(Acls, "").is_none());
    }

    /// compat P17
    #[test]
    fn somebody_stands_in_for_nobody_in_particular() {
        let identities = of(alice());
        let by_name = identities.consumer_named("alice").unwrap();
        let by_id = identities.consumer_named(&by_name.consumer().id.to_string()).unwrap();
        assert!(Arc::ptr_eq(by_name, by_id) && identities.consumer_named("bob").is_none());
        let by_custom_id = identities.consumer_with_custom_id("a-1").unwrap();
        assert!(Arc::ptr_eq(by_name, by_custom_id) && identities.consumer_with_custom_id("alice").is_none());
        assert!(identities.consumer_named("a-1").is_none());
        let mut headers = HeaderMap::new();
        headers.insert("x-credential-identifier", "spoofed".parse().unwrap());
        by_name.write(As::Anonymous, &mut headers);
        assert_eq!(headers["x-anonymous-consumer"], "true");
        assert_eq!(headers["x-consumer-username"], "alice");
        assert!(!headers.contains_key("x-credential-identifier"));
    }

    #[test]
    fn nothing_that_was_said_of_another_caller_is_left() {
        let identity = Identity::new(&Arc::new(Consumer::new("bob")), []);
        for name in
            ["x-consumer-custom-id", "x-consumer-username", "x-credential-identifier", "x-anonymous-consumer"]
        {
            let mut headers = HeaderMap::new();
            headers.insert(name, "another".parse().unwrap());
            identity.write(As::Known, &mut headers);
            assert!(headers.values().all(|value| value != "another") && headers.len() == 2, "{name}");
        }
    }

    #[test]
    fn a_change_of_something_else_keeps_the_index() {
        let gateway = Gateway::builder().checked(checked(alice())).build().unwrap();
        let before = gateway.snapshot();
        let mut route = Route::new("users");
        route.paths = Some(vec!["/users".into()]);
        let mut change = Change::default();
        change.routes.insert(route.id, Some(Arc::new(route)));
        gateway.apply(&change).unwrap();
        assert!(Arc::ptr_eq(before.identities(), gateway.snapshot().identities()));
        let mut change = Change::default();
        change.consumers.insert(Consumer::new("bob").id, Some(Arc::new(Consumer::new("bob"))));
        gateway.apply(&change).unwrap();
        let after = gateway.snapshot();
        let alice = |identities: &Identities| Arc::clone(identities.consumer_named("alice").unwrap());
        assert!(
            Arc::ptr_eq(&alice(before.identities()), &alice(after.identities())),
            "nobody else is made anew"
        );
        assert!(after.identities().consumer_named("bob").is_some());
    }

    #[test]
    fn groups_are_in_order() {
        let identities = of(alice());
        let groups = identities.consumer_named("alice").unwrap().groups();
        assert_eq!(groups.iter().map(AsRef::as_ref).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_credential_whose_time_is_over_is_not_found() {
        let credential =
            |made: u64, ttl: u64| json!({ "key": format!("{made}-{ttl}"), "created_at": made, "ttl": ttl });
        let all =
            [credential(1_000_000_000, 60), credential(1_000_000_000, 0), credential(unix_seconds(), 600)];
        let identities = of(json!({ "consumers": [{ "username": "a", "keyauth_credentials": all }] }));
        let found = |credential: &Value| {
            identities.by_key(KeyauthCredentials, credential["key"].as_str().unwrap()).is_some()
        };
        assert_eq!(all.each_ref().map(found), [false, true, true]);
    }

    /// A file of few consumers, keys and groups, in any combination.
    fn files() -> impl Strategy<Value = Value> {
        let consumer = (prop::option::of(0..3_u8), prop::collection::btree_set(0..4_u8, 0..3));
        prop::collection::vec(consumer, 0..4).prop_map(|consumers| {
            let mut taken = std::collections::BTreeSet::new();
            let consumer = |(number, (group, keys)): (usize, (Option<u8>, std::collections::BTreeSet<u8>))| {
                let keys: Vec<_> = keys.into_iter().filter(|key| taken.insert(*key)).collect();
                let key = |key| json!({ "id": format!("00000000-0000-0000-0000-00000000000{key}"), "key": format!("k{key}") });
                json!({
                    "username": format!("c{number}"),
                    "custom_id": keys.first().map(|key| format!("i{key}")),
                    "keyauth_credentials": keys.iter().map(key).collect::<Vec<_>>(),
                    "acls": group.map(|group| json!({ "group": format!("g{group}") })).into_iter().collect::<Vec<_>>(),
                })
            };
            json!({ "consumers": consumers.into_iter().enumerate().map(consumer).collect::<Vec<_>>() })
        })
    }

    /// All that can be asked.
    fn answers(identities: &Identities) -> Vec<String> {
        let keys = (0..5).map(|key| identities.by_key(KeyauthCredentials, &format!("k{key}")));
        let names = (0..5).map(|name| identities.consumer_named(&format!("c{name}")));
        let custom_ids = (0..5).map(|id| identities.consumer_with_custom_id(&format!("i{id}")));
        let shown = |identity: Option<&Arc<Identity>>| {
            identity.map_or_else(String::new, |identity| {
                let credential = identity.credential().map(|credential| credential.id);
                format!("{:?} {credential:?} {:?}", identity.consumer().username, identity.groups())
            })
        };
        keys.chain(names).chain(custom_ids).map(shown).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn changes_lead_where_a_fresh_start_leads(files in prop::collection::vec(files(), 1..4)) {
            let (mut identities, mut config) = (Identities::default(), Config::default());
            for file in files {
                let next = checked(file.clone());
                identities = identities.change(&config.diff(next.config()), &config, &next);
                prop_assert_eq!(answers(&identities), answers(&of(file)));
                config = next.config().clone();
            }
        }
    }
}
