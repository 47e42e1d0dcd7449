use super::{Certificates, Names};
use crate::config::Config;
use serde_json::json;

const CERTIFICATE: &str = "51e77dc2-8f3e-4afa-9d0e-0e3bbbcfd515";

fn config(cert: &str, key: &str, names: &[&str]) -> Config {
    let mut config = Config::default().with(
        serde_json::from_value::<crate::config::Certificate>(json!({
            "id": CERTIFICATE, "cert": cert, "key": key, "created_at": 0, "updated_at": 0,
        }))
        .unwrap(),
    );
    for (number, name) in names.iter().enumerate() {
        config = config.with(
            serde_json::from_value::<crate::config::Sni>(json!({
                "id": uuid::Uuid::from_u128(number as u128), "name": name,
                "certificate": { "id": CERTIFICATE }, "created_at": 0, "updated_at": 0,
            }))
            .unwrap(),
        );
    }
    config
}

fn pair() -> (String, String) {
    let pair = rcgen::generate_simple_self_signed(vec!["a.example".into()]).unwrap();
    (pair.cert.pem(), pair.signing_key.serialize_pem())
}

#[test]
fn names_match_as_kong_matches_them() {
    let (cert, key) = pair();
    let find =
        |names: &[&str], name| Names::read(&config(&cert, &key, names), None).unwrap().find(name).is_some();
    assert!(find(&["A.example."], Some("a.example")));
    assert!(find(&["*.example"], Some("a.example")));
    assert!(!find(&["*.example"], Some("b.a.example")));
    assert!(find(&["a.*"], Some("a.example")));
    assert!(!find(&["a.*"], Some("b.example")));
    assert!(!find(&["a.example"], None));
    assert!(find(&["*"], None));
    assert!(find(&["*"], Some("localhost")));
}

#[test]
fn problems_name_the_entity_and_the_last_good_stays() {
    let (cert, key) = pair();
    let store = Certificates::new(&config(&cert, &key, &["*"])).unwrap();
    let (_, stranger) = pair();
    let problem = |cert: &str, key: &str| {
        let errors = store.replace(&config(cert, key, &[])).unwrap_err();
        assert_eq!(errors.len(), 1);
        errors.first().unwrap().to_string()
    };
    let at = |field: &str| format!("certificates[{CERTIFICATE}].{field}: ");
    assert!(problem(&cert, &stranger).starts_with(&(at("key") + "does not belong")));
    assert!(problem("x", &key).starts_with(&(at("cert") + "holds no PEM certificate")));
    assert!(problem(&cert, "x").starts_with(&(at("key") + "holds no PEM private key")));
    assert!(!store.is_empty());
    store.replace(&Config::default()).unwrap();
    assert!(store.is_empty());
    store.set_default(&cert, &key).unwrap();
    assert!(!store.is_empty());
}
