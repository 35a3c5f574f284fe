// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What clients leave behind, in bytes. Alone in its process, whose heap it counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod device;
mod peer;

use std::sync::Arc;

use device::TestDevice;
use ims_vfio::Device;
use ims_vfio::layout::{irq, irq_set};
use ims_vfio_user::layout::{Header, command, flag};
use ims_vfio_user::{Limits, Server};
use peak_alloc::PeakAlloc;
use peer::{Peer, Place, map, memory, set, write_body};
use rustix::event::{EventfdFlags, eventfd};
use zerocopy::IntoBytes;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// One client that does a bit of everything, sound and not, and goes in the middle.
fn comes_and_goes(place: &Place, round: u64) {
    let mut peer = Peer::agreed(&place.0);
    for page in 0..64u64 {
        let file = page.is_multiple_of(2).then(|| memory(0x1000));
        peer.map(map(page << 12, 0x1000, 0), file).unwrap();
    }
    let trigger = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;
    let fds: Vec<_> = (0..16)
        .map(|_| eventfd(0, EventfdFlags::CLOEXEC).unwrap())
        .collect();
    peer.set_irqs(set(trigger, irq::MSIX, 0, 16), &[], &fds)
        .unwrap();
    peer.write_region(4, 0, &vec![1; 0x8000]).unwrap();
    assert!(peer.call(99, &[0; 1000], &fds).is_err());
    match round % 4 {
        // A message that never becomes whole, with descriptors.
        0 => peer.raw(
            Header {
                size: 1 << 20,
                ..Header::default()
            }
            .as_bytes(),
            &fds,
        ),
        1 => peer.raw(&[0; 16], &[]),
        2 => {
            peer.command(command::DMA_READ, flag::REPLY, &[], &[]);
        }
        _ => {
            for _ in 0..1000 {
                peer.command(command::REGION_WRITE, 0, &write_body(0, 0, &[1]), &[]);
            }
        }
    }
}

#[test]
fn hundreds_of_clients_leave_no_memory_behind() {
    let place = Place::new("memory");
    let device = Arc::new(TestDevice::new());
    let server = Server::start(Limits::default()).unwrap();
    server
        .listen(&place.0, Arc::clone(&device) as Arc<dyn Device>)
        .unwrap();
    let rest = |rounds| {
        for round in 0..rounds {
            comes_and_goes(&place, round);
        }
        // All of them are gone when the next one is served.
        drop(Peer::agreed(&place.0));
        drop(Peer::agreed(&place.0));
        HEAP.current_usage()
    };
    let first = rest(20);
    let second = rest(200);
    // One more buffer may be in use at the moment that is looked at.
    assert!(second < first + 100_000, "{first} bytes, then {second}");
    assert_eq!(device.function().dma.maps(), 0);
}
