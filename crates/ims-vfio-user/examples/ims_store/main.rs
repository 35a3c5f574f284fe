// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device with an Interrupt Message Store in a BAR, beside its MSI-X: a guest
//! kernel that owns it programs 4096 messages, and each goes out as a DMA write to
//! the address it names.
//!
//! `cargo run --release -p ims-vfio-user --example ims_store -- SOCKET`

mod device;
mod messages;
mod registers;
mod slots;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use device::ImsStore;
use ims_vfio_user::{Limits, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which socket? give a path")?;
    let server = Server::start(Limits::default())?;
    server.listen(Path::new(&path), Arc::new(ImsStore::new()?))?;
    println!("listening on {path}");
    server.wait();
    Ok(())
}
