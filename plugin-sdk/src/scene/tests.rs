//! Phases that wait, seen through the testing kit.

use std::{cell::Cell, rc::Rc, time::Duration};

use serde_json::json;

use super::SCENE;
use crate::{
    contract::var::Get,
    prelude::*,
    testing::{self, Gateway, Response as Scripted},
};

const SECOND: Duration = Duration::from_secs(1);

/// Does what its configuration says.
#[config]
struct Does {
    /// What.
    #[field(one_of = ["call", "join", "sleep", "body", "body_late", "keep", "var", "panic", "answer"])]
    what: String,
}

struct Doing(Does);

#[plugin(name = "doing", reads_body)]
impl Doing {
    fn configure(config: Does) -> Result<Self, String> {
        Ok(Self(config))
    }

    async fn on_request(&self, request: &mut Request) -> Result<(), Reply> {
        let call = |path: &str| Callout::get("auth", path).timeout(SECOND * 5).send();
        match self.0.what.as_str() {
            "call" => match call("/one").await {
                Ok(answer) if answer.status() == 200 => {
                    request.set_header("x-said", answer.header("x-say").unwrap_or_default());
                }
                Ok(answer) => return Err(Reply::new(answer.status()).with_body("text/plain", answer.body())),
                Err(error) => return Err(Reply::refuse(503, error.to_string())),
            },
            "join" => {
                let (one, other) = join(call("/one"), call("/other")).await;
                let statuses = (one.map(|one| one.status()), other.map(|other| other.status()));
                request.set_header("x-said", &format!("{statuses:?}"));
            }
            "sleep" => time::sleep(SECOND * 3).await.map_err(|_| Reply::new(500))?,
            "body" => request_body(request).await,
            "body_late" => {
                time::sleep(SECOND).await.map_err(|_| Reply::new(500))?;
                request_body(request).await;
            }
            "keep" => request.keep(7_u32),
            "var" => {
                let value = crate::call::later(&Get { name: "x" }, |value| value.map(<[u8]>::to_vec)).await;
                request.set_header("x-said", &String::from_utf8(value.unwrap().unwrap()).unwrap());
            }
            "panic" => {
                time::sleep(SECOND).await.unwrap();
                panic!("as told");
            }
            _ => {}
        }
        Ok(())
    }

    async fn on_response(&self, response: &mut Response) -> Result<(), Reply> {
        if let Some(kept) = response.kept::<u32>() {
            response.set_header("x-kept", &kept.to_string());
        }
        if self.0.what == "answer" {
            time::sleep(SECOND).await.map_err(|_| Reply::new(500))?;
            return Err(Reply::new(418));
        }
        Ok(())
    }
}

async fn request_body(request: &mut Request) {
    let length = request.body().await.len();
    request.set_header("x-said", &length.to_string());
}

fn doing(what: &str) -> Gateway {
    Gateway::new::<Doing>(json!({ "what": what })).unwrap()
}

fn get() -> testing::Request {
    testing::Request::get("/")
}

#[track_caller]
fn nothing_is_left() {
    assert_eq!(SCENE.with(super::Scene::len), 0);
}

#[test]
fn a_phase_waits_for_a_callout_and_time_goes_on_as_far_as_it_must() {
    let auth = |_: &_| Scripted::new(200).header("x-say", "yes").after(SECOND * 2);
    let mut gateway = doing("call").service("auth", auth);
    let begun = gateway.now();
    let answer = gateway.send(get());
    assert_eq!((answer.status(), answer.upstream().header("x-said")), (200, Some("yes")));
    assert_eq!(gateway.now() - begun, SECOND * 2);
    let (service, received) = &answer.callouts()[0];
    assert_eq!(
        (service.as_str(), received.path_and_query(), received.header("host")),
        ("auth", "/one", Some("auth"))
    );
    nothing_is_left();
}

#[test]
fn a_callout_that_is_not_answered_in_time_fails() {
    let mut gateway = doing("call").service("auth", |_| Scripted::new(200).after(SECOND * 6));
    let begun = gateway.now();
    let answer = gateway.send(get());
    assert_eq!((answer.status(), answer.message().as_deref()), (503, Some("the call failed")));
    assert_eq!(gateway.now() - begun, SECOND * 5, "that is how long it waits");
    assert!(!answer.is_forwarded());
    let answer = doing("call").service("auth", |_| Scripted::failure()).send(get());
    assert_eq!(answer.status(), 503);
    let answer = doing("call").send(get());
    assert_eq!(answer.message().as_deref(), Some("the host refuses the call"), "there is no such service");
    nothing_is_left();
}

#[test]
fn two_callouts_go_on_at_the_same_time() {
    let auth = |request: &testing::Received| match request.path_and_query() {
        "/one" => Scripted::new(200).after(SECOND * 3),
        _ => Scripted::new(404).after(SECOND * 2),
    };
    let mut gateway = doing("join").service("auth", auth);
    let begun = gateway.now();
    let answer = gateway.send(get());
    assert_eq!(answer.upstream().header("x-said"), Some("(Ok(200), Ok(404))"));
    assert_eq!(gateway.now() - begun, SECOND * 3);
    nothing_is_left();
}

#[test]
fn a_request_whose_client_leaves_leaves_nothing_behind() {
    for what in ["call", "join", "sleep", "body_late", "answer"] {
        let mut gateway = doing(what).service("auth", |_| Scripted::new(200).after(SECOND));
        let body = testing::Request::post("/", "").pieces(["a"]);
        assert!(gateway.abandon(body), "{what}");
        nothing_is_left();
        gateway.pass(SECOND * 10);
        nothing_is_left();
        assert_eq!(gateway.send(get()).status(), if what == "answer" { 418 } else { 200 }, "{what}");
        nothing_is_left();
    }
}

#[test]
fn a_body_is_read_while_the_head_is_held() {
    let pieces = || testing::Request::post("/", "").pieces(["ab", "c"]);
    for (what, request) in [
        ("body", testing::Request::post("/", "abc")),
        ("body", pieces()),
        ("body_late", testing::Request::post("/", "abc")),
        ("body_late", pieces()),
    ] {
        let answer = doing(what).send(request);
        assert_eq!(answer.upstream().header("x-said"), Some("3"), "{what}");
        assert_eq!(answer.upstream().text(), "abc", "what was read goes up all the same");
        nothing_is_left();
    }
    assert_eq!(doing("body").send(get()).upstream().header("x-said"), Some("0"));
}

#[test]
fn what_is_kept_is_there_on_the_way_back_and_gone_afterwards() {
    assert_eq!(doing("keep").send(get()).header("x-kept"), Some("7"));
    let answer = doing("keep").upstream(|_| Scripted::failure()).send(get());
    assert_eq!((answer.status(), answer.header("x-kept")), (502, Some("7")));
    nothing_is_left();
}

#[test]
fn an_answer_may_be_put_in_place_of_the_upstreams_after_a_wait() {
    let answer = doing("answer").send(get());
    assert_eq!((answer.status(), answer.is_forwarded()), (418, true));
    nothing_is_left();
}

#[test]
fn a_function_may_answer_late() {
    let times = Rc::new(Cell::new(0));
    let counted = Rc::clone(&times);
    let mut gateway = doing("var").slow_function(SECOND, move |get: Get<'static>| {
        counted.set(counted.get() + 1);
        (get.name == "x").then_some(&b"late"[..])
    });
    assert_eq!(gateway.send(get()).upstream().header("x-said"), Some("late"));
    assert_eq!(times.get(), 1);
    nothing_is_left();
}

#[test]
fn a_panic_leaves_the_scene_to_those_who_come_after() {
    let panicked = std::panic::catch_unwind(|| doing("panic").send(get()));
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"as told"));
    assert_eq!(doing("sleep").send(get()).status(), 200);
    nothing_is_left();
}
