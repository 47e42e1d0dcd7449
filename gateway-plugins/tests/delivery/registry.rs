//! Debian's `docker-registry`, started for a test.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use gateway_plugins::Digest;
use http::{Request, header::LOCATION};
use http_body_util::{BodyExt, Full};

use crate::kit;

/// A registry of its own for one test.
pub(crate) struct Registry {
    child: Child,
    folder: PathBuf,
    pub(crate) address: SocketAddr,
    login: Option<(&'static str, &'static str)>,
}

impl Registry {
    /// None where there is no such program, which is said; on a CI machine it must be there.
    pub(crate) fn start(name: &str, login: Option<(&'static str, &'static str)>) -> Option<Self> {
        if Command::new("docker-registry").arg("--version").output().is_err() {
            assert!(env::var_os("CI").is_none(), "no docker-registry: install the package docker-registry");
            eprintln!("SKIPPED: no docker-registry (package docker-registry)");
            return None;
        }
        let folder = env::temp_dir().join(format!("gateway-registry-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.display();
        let mut config = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {path}/data}}}}\n\
             http: {{addr: '127.0.0.1:0'}}\n"
        );
        if let Some((user, word)) = login {
            let hash = bcrypt::hash(word, 4).unwrap();
            fs::write(folder.join("users"), format!("{user}:{hash}\n")).unwrap();
            config.push_str(&format!("auth: {{htpasswd: {{realm: basic, path: {path}/users}}}}\n"));
        }
        fs::write(folder.join("config.yml"), config).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(folder.join("config.yml"))
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || errors.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let mut said = Vec::new();
        let address = loop {
            let line = lines.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("{said:?}"));
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split(['"', ' ', ',']).next().unwrap().parse().unwrap();
            }
            said.push(line);
        };
        Some(Self { child, folder, address, login })
    }

    async fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> kit::Answer {
        let mut request =
            Request::builder().method(method).uri(path).header("host", self.address.to_string());
        request = request.header("content-type", kind);
        if let Some((user, word)) = self.login {
            request = request
                .header("authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{word}"))));
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body)).boxed()).unwrap();
        let answer = tokio::time::timeout(kit::PATIENCE, kit::ask(self.address, request)).await.unwrap();
        assert!(answer.status.is_success(), "{method} {path}: {answer:?}");
        answer
    }

    /// Puts a module there, as tools for artifacts do it. The hash of its manifest.
    pub(crate) async fn push(&self, repository: &str, tag: &str, kind: &str, module: &[u8]) -> Digest {
        for blob in [module, b"{}"] {
            let begun =
                self.send("POST", &format!("/v2/{repository}/blobs/uploads/"), "text/plain", b"").await;
            let to = begun.headers[LOCATION].to_str().unwrap();
            let to = to.split_once("://").map_or(to, |(_, rest)| &rest[rest.find('/').unwrap()..]);
            let to = format!("{to}{}digest={}", if to.contains('?') { '&' } else { '?' }, Digest::of(blob));
            self.send("PUT", &to, "application/octet-stream", blob).await;
        }
        let manifest = manifest(kind, module);
        let path = format!("/v2/{repository}/manifests/{tag}");
        self.send("PUT", &path, "application/vnd.oci.image.manifest.v1+json", manifest.as_bytes()).await;
        Digest::of(manifest.as_bytes())
    }
}

/// The manifest of an artifact with one layer.
pub(crate) fn manifest(kind: &str, module: &[u8]) -> String {
    let (digest, size) = (Digest::of(module), module.len());
    let config = Digest::of(b"{}");
    format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{config}","size":2}},"layers":[{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}]}}"#
    )
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
