//! A testbed for built plugins: the real gateway, with the world around it in the hands of a test.
//!
//! `cargo xtask plugin test` starts it, and runs a plugin's tests once more with `PLUGIN_TESTBED` set to its address.
//! Each [`plugin_sdk::testing::Gateway`] then is a session here: a gateway of its own on a thread of its own, whose
//! upstreams, timers and scripted functions lead back to the test. It ends when its standard input does.

mod bed;
mod body;
mod lines;
mod link;
mod modules;
mod relay;
mod services;
mod session;

use std::{
    error::Error,
    io::{Read, stdin},
    net::TcpListener,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    thread,
};

use clap::Parser;

use modules::Modules;

/// The real gateway for tests of built plugins.
#[derive(Parser)]
struct Arguments {
    /// Built plugins: files of WebAssembly. Those without a manifest of the SDK are left aside.
    modules: Vec<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error + Send + Sync>> {
    lines::begin();
    let modules = Arc::new(Modules::load(&arguments.modules)?);
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("{}", listener.local_addr()?);
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let modules = Arc::clone(&modules);
            thread::spawn(move || session::run(&socket, &modules));
        }
    });
    // Whoever started it has gone, or wants it to go.
    stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
