// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A virtio device in the machines of VMMs that speak vfio-user: a block device on a
//! file or an entropy source, by virtio-pci, or by virtio-mmio in a BAR with its single
//! interrupt, MSI or virtio interrupt storage.
//!
//! `virtio_server --transport pci|mmio|msi|vis --queues 4 block FILE SOCKET`
//!
//! It prints `ready` when it listens, and what became of its interrupts each time a
//! client has gone.

mod arguments;
mod backing;
mod functions;
mod reporting;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use ims_vfio_user::{Limits, Server};

use arguments::{Arguments, Device};
use backing::Backing;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("virtio_server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let backing = Backing::new(arguments.queues)?;
    let function = match &arguments.device {
        Device::Block(block) => functions::of(&arguments, backing.block(block, &arguments)?)?,
        Device::Entropy { .. } => functions::of(&arguments, backing.entropy()?)?,
    };
    let server = Server::start(Limits::default())?;
    server.listen(arguments.device.socket(), function)?;
    println!("ready");
    server.wait();
    // Its interrupts are the devices'.
    drop(backing);
    Ok(())
}

/// What a function of any transport is served as.
type Served = Arc<dyn ims_vfio::Device>;
