//! Draws what the gateway's pure parts do in a bad minute: who gets how many requests, who is left out, and how long
//! answers take. Time is virtual and lots come from a seed: each run is the same.
//!
//! ```sh
//! cargo xtask sim            # or: cargo run -p gateway-core --example simulate -- docs/pictures
//! ```

mod picture;
mod scenario;

use std::{fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let folder = std::env::args().nth(1).map_or_else(|| PathBuf::from("docs/pictures"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    for run in scenario::all() {
        let path = folder.join(format!("{}.svg", run.name));
        fs::write(&path, picture::svg(&run))?;
        println!("{}", path.display());
    }
    Ok(())
}
