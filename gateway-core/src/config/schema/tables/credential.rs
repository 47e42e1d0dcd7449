//! The tables of credentials.

use super::{
    super::{Auto, Field, Must, Record, Rule, check},
    identity, seconds, tags,
};

/// The fields of every credential, and those of this kind between them.
fn credential(fields: Vec<Field>) -> Record {
    let mut all = vec![
        identity("Identity; random where absent."),
        Field::foreign("consumer", "consumers").required().doc("Whose it is."),
    ];
    all.extend(fields);
    all.push(tags());
    all.push(seconds("created_at", "When it was made, Unix seconds; 0: not known."));
    Record::new(all)
}

pub(super) fn key_auth() -> Record {
    credential(vec![
        Field::string("key").unique().auto(Auto::Secret).doc("The key; random where absent."),
        // Kong's most is 100,000,000, from now on; with the age of a key that is given one later it is more.
        Field::integer("ttl")
            .between(0, 10_000_000_000)
            .doc("Seconds it lives from when it was made on; unset: for ever."),
    ])
}

pub(super) fn basic_auth() -> Record {
    credential(vec![
        Field::string("username").required().unique().doc("Name of the user."),
        Field::string("password").required().doc("Password of the user."),
    ])
}

const ALGORITHMS: &[&str] = &[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384",
    "PS512", "EdDSA",
];
const ASYMMETRIC: &[&str] =
    &["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA"];

pub(super) fn jwt() -> Record {
    credential(vec![
        Field::string("key").unique().auto(Auto::Secret).doc("What the claim names; random where absent."),
        Field::string("secret").auto(Auto::Secret).doc("Shared secret; random where absent."),
        Field::string("rsa_public_key").doc("Public key, PEM."),
        Field::one_of("algorithm", ALGORITHMS).default("HS256").doc("How tokens are signed."),
    ])
    .rule(Rule::Conditional {
        when: "algorithm",
        is: ASYMMETRIC,
        then: "rsa_public_key",
        must: Must::BeSet,
    })
}

pub(super) fn hmac_auth() -> Record {
    credential(vec![
        Field::string("username").required().unique().doc("Name of the user."),
        Field::string("secret").auto(Auto::Secret).doc("Shared secret; random where absent."),
    ])
}

pub(super) fn oauth2() -> Record {
    credential(vec![
        Field::string("name").required().doc("Name of the client."),
        Field::string("client_id").unique().auto(Auto::Secret).doc("Id of the client; random where absent."),
        Field::string("client_secret").auto(Auto::Secret).doc("Secret of the client; random where absent."),
        Field::boolean("hash_secret").required().default(false).doc("Whether the secret is kept hashed."),
        Field::array("redirect_uris", Field::string("").check(check::url).pattern(check::URL))
            .doc("Where answers may go."),
        Field::one_of("client_type", &["confidential", "public"])
            .required()
            .default("confidential")
            .doc("Whether the client can keep a secret."),
    ])
}

pub(super) fn acl() -> Record {
    credential(vec![Field::string("group").required().doc("The group that the consumer is in.")])
}
