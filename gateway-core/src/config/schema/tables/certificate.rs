//! The tables of certificates, server names and trust anchors.

use super::{
    super::{Field, Record, Rule, check},
    table,
};

pub(super) fn certificate() -> Record {
    table(vec![
        Field::string("cert")
            .required()
            .check(check::certificate)
            .referenceable()
            .doc("The chain, leaf first, PEM."),
        Field::string("key").required().check(check::key).referenceable().doc("The private key, PEM."),
        Field::string("cert_alt")
            .check(check::certificate)
            .referenceable()
            .doc("A second chain of another key type."),
        Field::string("key_alt").check(check::key).referenceable().doc("Its private key."),
    ])
    .rule(Rule::mutually_required(["cert_alt", "key_alt"]))
}

pub(super) fn sni() -> Record {
    table(vec![
        Field::string("name")
            .required()
            .check(check::wildcard_sni)
            .pattern(check::WILDCARD_SNI)
            .unique()
            .doc("A host name, with at most one `*` as its first or last label."),
        Field::foreign("certificate", "certificates").required().doc("The certificate."),
    ])
}

pub(super) fn ca_certificate() -> Record {
    table(vec![
        Field::string("cert").required().check(check::certificate).doc("The certificate, PEM."),
        Field::string("cert_digest").unique().doc("SHA-256 of its DER form; computed."),
    ])
}
