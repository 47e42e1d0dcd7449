//! The client beside real servers that fail.

use std::{sync::Arc, time::Duration};

use plugin_contract::ratelimit::Redis;
use redis::{AsyncCommands, Script};
use tokio::time::{sleep, timeout};

use super::{Client, Clients, server::RedisServer, tests::redis};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

fn client(redis: &Redis<'_>) -> Arc<Client> {
    Clients::default().of(redis.into())
}

async fn ping(client: &Arc<Client>) -> Option<String> {
    let script = Script::new("return 'pong'");
    timeout(PATIENCE, client.run(&script.prepare_invoke())).await.expect("an answer, or none, in time")
}

/// Asks until there is an answer.
async fn until_answered(client: &Arc<Client>) {
    let answered = async {
        while ping(client).await.is_none() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, answered).await.expect("it comes back");
}

#[tokio::test]
async fn a_server_that_was_killed_is_used_again_when_it_is_back() {
    let Some(mut server) = RedisServer::start(&[]) else { return };
    let client = client(&redis(server.port));
    assert_eq!(ping(&client).await.as_deref(), Some("pong"));
    server.kill();
    assert_eq!(ping(&client).await, None);
    assert_eq!(ping(&client).await, None);
    server.restart();
    // Scripts are gone with the old one; they are sent again.
    until_answered(&client).await;
    for _ in 0..50 {
        assert_eq!(ping(&client).await.as_deref(), Some("pong"));
    }
}

#[tokio::test]
async fn a_restart_between_two_calls_costs_one_call_at_most() {
    let Some(mut server) = RedisServer::start(&[]) else { return };
    let client = client(&redis(server.port));
    assert!(ping(&client).await.is_some());
    server.kill();
    server.restart();
    let _ = ping(&client).await;
    assert!(ping(&client).await.is_some());
}

#[tokio::test]
async fn who_is_down_keeps_nobody_waiting() {
    // Somebody listens, and says nothing: the worst kind.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let redis = Redis { timeout: 300, ..redis(silent.local_addr().unwrap().port()) };
    let client = client(&redis);
    assert_eq!(ping(&client).await, None, "the first one waits for its time");
    // Had each waited for its time, this would take a minute.
    let all = async {
        for _ in 0..200 {
            assert_eq!(ping(&client).await, None);
        }
    };
    timeout(PATIENCE, all).await.expect("nobody waits");
}

#[tokio::test]
async fn a_slow_server_is_given_up_and_found_again() {
    let Some(server) = RedisServer::start(&["--enable-debug-command", "yes"]) else { return };
    let client = client(&Redis { timeout: 500, ..redis(server.port) });
    assert!(ping(&client).await.is_some());
    let mut other = server.other().await;
    let slow = tokio::spawn(async move {
        redis::cmd("DEBUG").arg("SLEEP").arg("4").exec_async(&mut other).await.ok();
    });
    let mut late = 0;
    let unanswered = async {
        while late < 5 {
            late += u32::from(ping(&client).await.is_none());
        }
    };
    timeout(PATIENCE, unanswered).await.unwrap();
    slow.await.unwrap();
    until_answered(&client).await;
}

#[tokio::test]
async fn a_call_that_is_refused_harms_no_other() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let client = client(&redis(server.port));
    for _ in 0..3 {
        let wrong = Script::new("return redis.call('INCR', 'text', 'and', 'more')");
        assert_eq!(client.run::<u64>(&wrong.prepare_invoke()).await, None);
        assert!(ping(&client).await.is_some());
    }
}

#[tokio::test]
async fn passwords_users_and_databases_count() {
    let arguments = ["--requirepass", "secret", "--user", "ann", "on", ">hers", "~*", "+@all"];
    let Some(server) = RedisServer::start(&arguments) else { return };
    let right = Redis { password: Some("secret"), database: 3, ..redis(server.port) };
    let ann = Redis { username: Some("ann"), password: Some("hers"), ..redis(server.port) };
    for redis in [&right, &ann] {
        assert!(ping(&client(redis)).await.is_some(), "{:?}", super::Server::from(redis));
    }
    let script = Script::new("return redis.call('SET', 'where', 'three')");
    let stored: Option<String> = client(&right).run(&script.prepare_invoke()).await;
    assert_eq!(stored.as_deref(), Some("OK"));
    let opened = redis::Client::open(format!("redis://:secret@127.0.0.1:{}/3", server.port)).unwrap();
    let mut third = opened.get_multiplexed_async_connection().await.unwrap();
    assert_eq!(third.get::<_, String>("where").await.unwrap(), "three");
    let wrong = Redis { password: Some("wrong"), ..redis(server.port) };
    let nobody = Redis { username: Some("bob"), ..ann.clone() };
    for redis in [&wrong, &nobody, &redis(server.port)] {
        let client = client(redis);
        assert_eq!(ping(&client).await, None);
        assert_eq!(ping(&client).await, None);
    }
}

#[tokio::test]
async fn tls_is_spoken_and_a_certificate_verified_where_asked_for() {
    let folder = std::env::temp_dir().join(format!("gateway-redis-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let made = rcgen::generate_simple_self_signed(["redis.test".to_owned()]).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let arguments = ["--tls-port", "PORT", "--port", "0", "--tls-auth-clients", "no"];
    let arguments =
        [&arguments[..], &["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert]];
    let Some(server) = RedisServer::start(&arguments.concat()) else { return };
    let tls = Redis { tls: true, server_name: Some("redis.test"), ..redis(server.port) };
    assert!(ping(&client(&tls)).await.is_some());
    assert_eq!(ping(&client(&Redis { verify: true, ..tls })).await, None, "nobody vouches for it");
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn calls_beyond_the_bound_get_no_answer() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client(&Redis { timeout: 60_000, ..redis(silent.local_addr().unwrap().port()) });
    let calls: Vec<_> = (0..super::client::MOST_CALLS)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { ping(&client).await })
        })
        .collect();
    // All of them have had their turn.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ping(&client).await, None);
    assert!(calls.iter().all(|call| !call.is_finished()), "the others are waiting for theirs");
    calls.iter().for_each(tokio::task::JoinHandle::abort);
}
