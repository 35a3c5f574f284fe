// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What goes wrong with a served device, and stays where it went wrong: `ims serve`
//! in a process of its own, drivers as its clients.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod client;
mod counts;
mod ends;
mod handles;
mod interfaces;
mod memory;
mod neighbour;
mod processes;
#[path = "../program/mod.rs"]
mod program;
mod revoked;
#[path = "../served/mod.rs"]
mod served;
mod store;

use std::fs;
use std::path::PathBuf;

use client::Client;
use served::Served;

/// What virtual devices and the function have, as `client` wants them.
const FILE: &str = "
[parent]
engines = 2
[[interface]]
name = \"vdsa\"
count = 2
vectors = 3
[[function]]
name = \"dsa\"
engines = 2
vectors = 3
";

/// A server of virtual devices `vdsa0` and `vdsa1` and a physical function `dsa`.
fn served(name: &str) -> Served {
    serve_in(Served::place(name))
}

/// The same in a directory that is there.
fn serve_in(dir: PathBuf) -> Served {
    let file = dir.join("devices.toml");
    fs::write(&file, format!("dir = {dir:?}\n{FILE}")).unwrap();
    Served::start_in(dir, &[file.to_str().unwrap()])
}

fn socket(served: &Served, name: &str) -> PathBuf {
    served.dir.join(format!("{name}.sock"))
}

/// A client of device `name`, with memory of its own pattern.
fn client(served: &Served, name: &str) -> Client {
    Client::open(&socket(served, name)).unwrap()
}
