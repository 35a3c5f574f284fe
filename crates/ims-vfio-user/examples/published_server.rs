// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Plays a few clients, sound and not, to the server of the published crate
//! `vfio_user` and to this one, and prints what each answers.
//!
//! `cargo run -p ims-vfio-user --example published_server`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a demonstration"
)]

#[path = "../tests/device/mod.rs"]
mod device;
#[path = "../tests/peer/mod.rs"]
mod peer;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ims_vfio_user::layout::{Header, RegionAccess, command, flag};
use ims_vfio_user::{Limits, Server};
use peer::{OFFER, Peer, Place, map, memory};
use vfio_user::{DmaMapFlags, DmaUnmapFlags, IrqInfo, ServerBackend};
use zerocopy::IntoBytes;

/// A device that takes everything, but for writes at its end.
struct Backend;

impl ServerBackend for Backend {
    fn region_read(&mut self, _: u32, _: u64, data: &mut [u8]) -> std::io::Result<()> {
        data.fill(0);
        Ok(())
    }
    fn region_write(&mut self, _: u32, offset: u64, _: &[u8]) -> std::io::Result<()> {
        if offset == device::FAILS {
            return Err(std::io::Error::from_raw_os_error(device::FAILS_WITH));
        }
        Ok(())
    }
    fn dma_map(
        &mut self,
        _: DmaMapFlags,
        _: u64,
        _: u64,
        _: u64,
        _: Option<File>,
    ) -> std::io::Result<()> {
        Ok(())
    }
    fn dma_unmap(&mut self, _: DmaUnmapFlags, _: u64, _: u64) -> std::io::Result<()> {
        Ok(())
    }
    fn reset(&mut self) -> std::io::Result<()> {
        Ok(())
    }
    fn set_irqs(&mut self, _: u32, _: u32, _: u32, _: u32, _: Vec<File>) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs the published server for one client; says how it ended.
fn published(path: &Path) -> thread::JoinHandle<String> {
    let irqs = (0..5)
        .map(|index| IrqInfo {
            index,
            flags: 1,
            count: 64,
        })
        .collect();
    let region = |index| vfio_user::ServerRegion {
        region_info: vfio_bindings::bindings::vfio::vfio_region_info {
            argsz: 32,
            flags: 3,
            index,
            size: 0x1000,
            ..Default::default()
        },
        sparse_areas: Vec::new(),
        mmap_fd: None,
    };
    let regions = (0..9).map(region).collect();
    let server = vfio_user::Server::new(path, true, irqs, regions).unwrap();
    thread::spawn(move || match server.run(&mut Backend) {
        Ok(()) => "ended with the client".to_owned(),
        Err(error) => format!("ended: {error}"),
    })
}

/// What a client sends, and what it makes of the answer.
struct Case {
    name: &'static str,
    play: fn(&mut Peer) -> String,
    agrees: bool,
}

fn answer(peer: &mut Peer) -> String {
    match peer.receive() {
        None => "connection closed".to_owned(),
        Some(reply) if reply.header.flags & flag::ERROR != 0 => {
            format!("error reply, errno {}", reply.header.error)
        }
        Some(reply) => format!(
            "reply, {} bytes, {} descriptors",
            reply.header.size,
            reply.fds.len()
        ),
    }
}

fn says(peer: &mut Peer, command: u16, body: &[u8], fds: &[OwnedFd]) -> String {
    let header = Header {
        id: 76,
        command,
        size: u32::try_from(16 + body.len()).unwrap(),
        ..Header::default()
    };
    if peer
        .try_raw(&[header.as_bytes(), body].concat(), fds)
        .is_err()
    {
        return "connection closed".to_owned();
    }
    let first = answer(peer);
    // Whether it goes on.
    let access = RegionAccess {
        offset: 0,
        region: 0,
        count: 4,
    };
    let sent = peer.try_raw(
        &[
            Header {
                id: 77,
                command: command::REGION_READ,
                size: 32,
                ..Header::default()
            }
            .as_bytes(),
            access.as_bytes(),
        ]
        .concat(),
        &[],
    );
    let next = match sent {
        Ok(()) => answer(peer),
        Err(_) => "connection closed".to_owned(),
    };
    format!("{first}; then a read: {next}")
}

const CASES: &[Case] = &[
    Case {
        name: "capabilities announced",
        agrees: false,
        play: |peer| {
            let answer = peer.agree(1, OFFER);
            String::from_utf8_lossy(answer.body.get(4..).unwrap_or_default()).into_owned()
        },
    },
    Case {
        name: "VERSION of 2 bytes",
        agrees: false,
        play: |peer| says(peer, command::VERSION, &[0, 0], &[]),
    },
    Case {
        name: "VERSION whose text has no NUL",
        agrees: false,
        play: |peer| says(peer, command::VERSION, &[0, 0, 0, 0, b'{', b'}'], &[]),
    },
    Case {
        name: "VERSION 1.0",
        agrees: false,
        play: |peer| {
            says(
                peer,
                command::VERSION,
                &[&[1, 0, 0, 0], OFFER].concat(),
                &[],
            )
        },
    },
    Case {
        name: "a write that the device refuses",
        agrees: true,
        play: |peer| {
            let body = peer::write_body(0, device::FAILS, &[0]);
            says(peer, command::REGION_WRITE, &body, &[])
        },
    },
    Case {
        name: "a read outside the region",
        agrees: true,
        play: |peer| {
            let access = RegionAccess {
                offset: u64::MAX,
                region: 0,
                count: 4,
            };
            says(peer, command::REGION_READ, access.as_bytes(), &[])
        },
    },
    Case {
        name: "an unknown command with a body",
        agrees: true,
        play: |peer| says(peer, 99, &[0; 8], &[]),
    },
    Case {
        name: "DMA_MAP with a short body",
        agrees: true,
        play: |peer| {
            says(
                peer,
                command::DMA_MAP,
                &map(0, 0x1000, 0).as_bytes()[..24],
                &[],
            )
        },
    },
    Case {
        name: "DMA_MAP of a range that wraps",
        agrees: true,
        play: |peer| {
            let body = map(u64::MAX - 0xfff, 0x2000, 0);
            says(peer, command::DMA_MAP, body.as_bytes(), &[memory(0x2000)])
        },
    },
    Case {
        name: "a reply nobody asked for",
        agrees: true,
        play: |peer| {
            peer.command(command::DMA_WRITE, flag::REPLY, &[0; 16], &[]);
            says(peer, command::DEVICE_RESET, &[], &[])
        },
    },
    Case {
        name: "a descriptor with the last byte of a header that comes in two pieces",
        agrees: true,
        play: |peer| {
            let body = map(0, 0x1000, 0);
            let header = Header {
                id: 5,
                command: command::DMA_MAP,
                size: 48,
                ..Header::default()
            };
            peer.raw(&header.as_bytes()[..15], &[]);
            thread::sleep(Duration::from_millis(20));
            peer.raw(
                &[&header.as_bytes()[15..], body.as_bytes()].concat(),
                &[memory(0x1000)],
            );
            answer(peer)
        },
    },
];

fn play(case: &Case, path: &Path) -> String {
    let mut peer = Peer::connect(path);
    peer.socket
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    if case.agrees {
        peer.agree(0, OFFER);
    }
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (case.play)(&mut peer)));
    outcome.unwrap_or_else(|_| "no answer within half a second".to_owned())
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    for case in CASES {
        println!("{}", case.name);
        let place = Place::new("published");
        let server = published(&place.0);
        let said = play(case, &place.0);
        let ended = server.join().unwrap_or_else(|_| "PANICKED".to_owned());
        println!("  vfio_user 0.1.7: {said}; server {ended}");
        let place = Place::new("ours");
        let server = Server::start(Limits::default()).unwrap();
        server
            .listen(&place.0, Arc::new(device::TestDevice::new()))
            .unwrap();
        println!("  ims-vfio-user:   {}", play(case, &place.0));
    }
}
