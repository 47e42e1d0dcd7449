//! One test, from the time it connects until it goes.

use std::{io, net::TcpStream, sync::Arc, time::Duration};

use plugin_sdk::testing::wire::{Ask, Tell};
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::{JoinHandle, spawn_blocking, yield_now},
    time::advance,
};

use crate::{bed::Bed, lines, link::Link, modules::Modules};

/// Serves a test until it goes.
pub(crate) fn run(socket: &TcpStream, modules: &Modules) {
    if let Err(error) = serve(socket, modules) {
        eprintln!("a session ended early: {error}");
    }
}

fn serve(socket: &TcpStream, modules: &Modules) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let link = Arc::new(Link::new(socket.try_clone()?));
    lines::belong(&link);
    let (socket, (sender, asks)) = (socket.try_clone()?, unbounded_channel());
    runtime(&link)?.block_on(async {
        let reader = Arc::clone(&link);
        // As long as it reads, the paused clock only goes where the test wants it.
        let reading = spawn_blocking(move || reader.read(socket, &sender));
        answer(asks, modules, &link).await;
        drop(reading);
    });
    Ok(())
}

fn runtime(link: &Arc<Link>) -> io::Result<Runtime> {
    let own = Arc::clone(link);
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .on_thread_start(move || lines::belong(&own))
        .build()
}

async fn answer(mut asks: UnboundedReceiver<Ask>, modules: &Modules, link: &Arc<Link>) {
    let mut bed: Option<Arc<Bed>> = None;
    let mut request: Option<JoinHandle<()>> = None;
    while let Some(ask) = asks.recv().await {
        match ask {
            Ask::Start(start) => {
                let started = Bed::new(start, modules, link).await;
                let told = started.map(|started| bed = Some(Arc::new(started)));
                link.tell(&Tell::Started(told));
            }
            Ask::Send(asked) => {
                request = bed.clone().map(|bed| tokio::spawn(bed.send(asked)));
            }
            Ask::Leave => leave(request.take(), link).await,
            Ask::Pass(milliseconds) => {
                pass(Duration::from_millis(milliseconds)).await;
                link.tell(&Tell::Passed);
            }
            Ask::Metrics => {
                link.tell(&Tell::Metrics(bed.as_ref().map(|bed| bed.metrics()).unwrap_or_default()));
            }
            Ask::Answer(..) | Ask::Return(..) | Ask::Late(..) => {}
        }
    }
}

/// The client goes away, unless it has its answer.
async fn leave(request: Option<JoinHandle<()>>, link: &Link) {
    let Some(request) = request else { return };
    request.abort();
    if request.await.is_err() {
        link.tell(&Tell::Answered(None));
    }
}

/// Lets time pass, and those whose timers it was do what they do.
async fn pass(duration: Duration) {
    advance(duration).await;
    for _ in 0..16 {
        yield_now().await;
    }
}
