// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The client that Cloud Hypervisor uses drives a device through its whole life.
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

use std::os::fd::AsRawFd;
use std::sync::Arc;

use device::{RAISE, SHARED_BAR, TestDevice, VECTORS};
use ims_vfio::Device;
use ims_vfio::layout::{irq, irq_info, irq_set, region, region_info};
use ims_vfio_user::{Limits, Server};
use peer::{Place, memory};
use rustix::event::{EventfdFlags, eventfd};
use vfio_user::Client;

const TRIGGER: u32 = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;

#[test]
fn a_device_lives_its_whole_life_with_the_published_client() {
    let place = Place::new("crate-client");
    let device = Arc::new(TestDevice::sharing());
    let server = Server::start(Limits::default()).unwrap();
    server
        .listen(&place.0, Arc::clone(&device) as Arc<dyn Device>)
        .unwrap();

    let mut client = Client::new(&place.0).unwrap();
    // What it is.
    assert_eq!(client.region(0).unwrap().size, device::BAR_SIZE);
    let shared = client.region(SHARED_BAR).unwrap();
    assert_ne!(shared.flags & region_info::MMAP, 0);
    assert_eq!(shared.sparse_areas.len(), 2);
    assert_eq!(shared.file_offset.as_ref().unwrap().start(), 0x4000);
    let msix = client.get_irq_info(irq::MSIX).unwrap();
    assert_eq!(msix.count, u32::from(VECTORS));
    assert_eq!(msix.flags & irq_info::NORESIZE, 0);
    let mut id = [0; 4];
    client.region_read(region::CONFIG, 0, &mut id).unwrap();
    assert_eq!(id, [0x49, 0x4d, 0x57, 0x7e]);
    // Sizing a BAR, as this client's VMM does it.
    client
        .region_write(region::CONFIG, 0x10, &[0xff; 4])
        .unwrap();
    let mut mask = [0; 4];
    client.region_read(region::CONFIG, 0x10, &mut mask).unwrap();
    assert_eq!(
        u32::from_le_bytes(mask) & !0xf,
        !(device::BAR_SIZE as u32 - 1)
    );

    // Memory.
    let file = memory(1 << 20);
    rustix::io::pwrite(&file, b"from the guest", 0x2000).unwrap();
    client
        .dma_map(0, 0x1_0000_0000, 1 << 20, file.as_raw_fd())
        .unwrap();
    client.region_write(region::CONFIG, 4, &[6, 0]).unwrap();
    let session = device.function().dma.session().unwrap();
    let mut bytes = [0; 14];
    session.read(0x1_0000_2000, &mut bytes).unwrap();
    assert_eq!(&bytes, b"from the guest");
    session.write(0x1_0000_3000, b"from the device").unwrap();
    drop(session);
    let mut bytes = [0; 15];
    rustix::io::pread(&file, &mut bytes, 0x3000).unwrap();
    assert_eq!(&bytes, b"from the device");

    // Interrupts: sixteen at a time, as its VMM sends them, whatever was announced.
    let triggers: Vec<_> = (0..u32::from(VECTORS))
        .map(|_| eventfd(0, EventfdFlags::NONBLOCK).unwrap())
        .collect();
    for (at, block) in triggers.chunks(16).enumerate() {
        let fds: Vec<_> = block.iter().map(AsRawFd::as_raw_fd).collect();
        let start = at as u32 * 16;
        client
            .set_irqs(irq::MSIX, TRIGGER, start, fds.len() as u32, &fds)
            .unwrap();
    }
    for (vector, trigger) in (0u32..).zip(&triggers) {
        client
            .region_write(0, RAISE, &vector.to_le_bytes())
            .unwrap();
        let mut count = [0; 8];
        rustix::io::read(trigger, &mut count).unwrap();
        assert_eq!(u64::from_ne_bytes(count), 1, "vector {vector}");
    }
    let quiet = |trigger| rustix::io::read(trigger, &mut [0; 8]).is_err();
    assert!(
        triggers.iter().all(quiet),
        "each got its own and no other's"
    );

    // Reset, and again.
    client.reset().unwrap();
    let mut command = [0xff; 2];
    client.region_read(region::CONFIG, 4, &mut command).unwrap();
    assert_eq!(command, [0, 0]);
    client.region_write(0, RAISE, &3u32.to_le_bytes()).unwrap();
    assert!(triggers.iter().all(quiet), "a reset takes the triggers");
    let fds = [triggers[3].as_raw_fd()];
    client.set_irqs(irq::MSIX, TRIGGER, 3, 1, &fds).unwrap();
    client.region_write(0, RAISE, &3u32.to_le_bytes()).unwrap();
    assert!(!quiet(&triggers[3]));
    client.dma_unmap(0x1_0000_0000, 1 << 20).unwrap();
    assert_eq!(device.function().dma.maps(), 0);

    // The next client finds the device as this one left it.
    client.region_write(0, 0x40, &[0xaa; 4]).unwrap();
    client.shutdown().unwrap();
    drop(client);
    let mut client = Client::new(&place.0).unwrap();
    let mut kept = [0; 4];
    client.region_read(0, 0x40, &mut kept).unwrap();
    assert_eq!(kept, [0xaa; 4]);
}
