// SPDX-License-Identifier: Apache-2.0 OR MIT
//! virtio-mmio in a BAR.

use std::sync::Mutex;

use ims_vfio::dma::{ReadThen, Remote, WriteThen};
use rustix::io::Errno;

use super::*;
use crate::interrupts::{Mode, msi};
use crate::layout::features::VERSION_1;
use crate::layout::mmio::{
    DRIVER_FEATURES, DRIVER_FEATURES_SEL, INTERRUPT_ACK, INTERRUPT_STATUS, MAGIC, MAGIC_VALUE,
    QUEUE_DESC, QUEUE_DEVICE, QUEUE_DRIVER, QUEUE_READY, QUEUE_SEL, QUEUE_SIZE, STATUS,
};
use crate::layout::msi::{ADDRESS_LOW, Command, DATA, Layout, Notification, VECTOR_SEL};
use crate::mmio::MmioOptions;
use crate::notifier::Notifier;
use crate::vfio::{MmioFunction, MmioFunctionOptions};

/// What was posted.
#[derive(Default)]
struct Posts(Mutex<Vec<(u64, Vec<u8>)>>);

impl Posts {
    fn take(&self) -> Vec<(u64, Vec<u8>)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Remote for Posts {
    fn read(&self, _: u64, _: usize, then: ReadThen) {
        then(Err(Errno::FAULT));
    }

    fn write(&self, _: u64, _: &[u8], then: WriteThen) {
        then(Err(Errno::FAULT));
    }

    fn post(&self, address: u64, data: &[u8]) -> Result<(), Errno> {
        self.0.lock().unwrap().push((address, data.to_vec()));
        Ok(())
    }

    fn abandon(&self, _: Option<std::ops::Range<u64>>) {}

    fn may_wait(&self) -> bool {
        true
    }
}

struct Test {
    device: Arc<TestDevice>,
    function: Arc<MmioFunction<TestDevice>>,
    client: Client,
    posts: Arc<Posts>,
}

const MSI: msi::Offer = msi::Offer {
    layout: Layout::CLEAR,
    vectors: 3,
    sharing: false,
    notification: None,
};

impl Test {
    fn new(msi: Option<msi::Offer>) -> Self {
        let device = Arc::new(Recorder::new(&[16, 16]));
        let options = MmioFunctionOptions {
            mmio: MmioOptions {
                msi,
                ..MmioOptions::default()
            },
            ..MmioFunctionOptions::default()
        };
        let function = Arc::new(MmioFunction::new(Arc::clone(&device), options).unwrap());
        let client = Client::new(function.clone());
        let posts = Arc::<Posts>::default();
        client.endpoint.attach(posts.clone());
        client.command(MEMORY_SPACE | BUS_MASTER);
        Self {
            device,
            function,
            client,
            posts,
        }
    }

    fn set(&self, register: u64, value: u64) {
        self.client.set(0, register, 4, value);
    }

    fn get(&self, register: u64) -> u64 {
        self.client.get(0, register, 4)
    }

    /// Brings the device up, with MSI if that is offered.
    fn go(&self, features: u64) -> Notifier {
        self.set(STATUS, 3);
        for (sel, bits) in [
            (0, features & 0xffff_ffff),
            (1, (features | VERSION_1) >> 32),
        ] {
            self.set(DRIVER_FEATURES_SEL, sel);
            self.set(DRIVER_FEATURES, bits);
        }
        self.set(STATUS, 0xb);
        for queue in 0..2 {
            self.set(QUEUE_SEL, queue);
            self.set(QUEUE_SIZE, 16);
            for (register, at) in [
                (QUEUE_DESC, 0),
                (QUEUE_DRIVER, 0x4000),
                (QUEUE_DEVICE, 0x8000),
            ] {
                self.set(register, 0x1_0000 * (queue + 1) + at);
            }
            self.set(QUEUE_READY, 1);
        }
        self.set(STATUS, 0xf);
        let asked = self.device.asked.lock().unwrap();
        asked.setup.as_ref().unwrap().notifier.clone()
    }

    fn enable_msi(&self) {
        for vector in 0..3 {
            self.set(VECTOR_SEL, vector);
            self.set(ADDRESS_LOW, 0xfee0_0000 + 0x1000 * vector);
            self.set(DATA, 0x40 + vector);
            self.set(Layout::CLEAR.command, Command::Configure as u64);
        }
        self.set(Layout::CLEAR.command, Command::Enable as u64);
        assert_eq!(self.function.mode(), Mode::Msi);
    }
}

#[test]
fn the_registers_are_in_a_bar_of_a_function_that_no_driver_of_virtio_pci_takes() {
    let test = Test::new(None);
    assert_eq!(test.client.config(0, 4), 0x0002_4d49);
    assert_eq!(test.get(MAGIC), u64::from(MAGIC_VALUE));
    assert_eq!(test.client.endpoint.function().config.bar_size(0), 0x1000);
}

#[test]
fn notification_offsets_have_room_in_the_bar() {
    let offer = msi::Offer {
        notification: Some(Notification {
            base: 0x1000,
            multiplier: 0x1000,
        }),
        ..MSI
    };
    let test = Test::new(Some(offer));
    assert_eq!(test.client.endpoint.function().config.bar_size(0), 0x4000);
    test.go(Layout::CLEAR.feature | Layout::CLEAR.notification_feature);
    test.set(0x2000, 1);
    assert_eq!(test.device.asked.lock().unwrap().notified, [1]);
}

#[test]
fn a_message_that_meets_the_end_of_bus_mastering_is_sent_once_when_it_is_on_again() {
    let test = Test::new(Some(MSI));
    let notifier = test.go(Layout::CLEAR.feature);
    test.enable_msi();
    notifier.used(1);
    assert_eq!(test.posts.take(), [(0xfee0_2000, vec![0x42, 0, 0, 0])]);
    test.client.command(MEMORY_SPACE);
    notifier.used(1);
    notifier.used(1);
    notifier.config_changed();
    assert!(test.posts.take().is_empty());
    test.client.command(MEMORY_SPACE | BUS_MASTER);
    let mut sent = test.posts.take();
    sent.sort();
    assert_eq!(
        sent,
        [
            (0xfee0_0000, vec![0x40, 0, 0, 0]),
            (0xfee0_2000, vec![0x42, 0, 0, 0]),
        ]
    );
    assert_eq!(test.function.messages().sent(), 3);
}

#[test]
fn a_vector_tells_of_each_rise_and_of_what_an_acknowledgement_left() {
    let test = Test::new(None);
    test.client.msix(MSIX_ENABLE);
    let vector = test.client.trigger(irq::MSIX, 0);
    let notifier = test.go(0);
    notifier.used(0);
    assert_eq!(count(&vector), 1);
    // The driver has read 1, and acknowledges that; 2 came meanwhile.
    assert_eq!(test.get(INTERRUPT_STATUS), 1);
    notifier.config_changed();
    assert_eq!(count(&vector), 0);
    test.set(INTERRUPT_ACK, 1);
    assert_eq!(count(&vector), 1);
    assert_eq!(test.get(INTERRUPT_STATUS), 2);
    test.set(INTERRUPT_ACK, 2);
    assert_eq!(count(&vector), 0);
    notifier.used(1);
    assert_eq!(count(&vector), 1);
    assert_eq!(test.function.pin_asserted(), 0);
}

#[test]
fn the_single_interrupt_goes_on_by_the_other_way_when_msix_is_enabled_or_disabled() {
    let test = Test::new(None);
    let pin = test.client.trigger(irq::INTX, 0);
    let notifier = test.go(0);
    notifier.used(0);
    assert_eq!(count(&pin), 1);
    assert_eq!(test.client.config(6, 2) & 8, 8);
    // Raised, although nobody has a trigger yet: it is told with the next one.
    test.client.msix(MSIX_ENABLE);
    assert_eq!(test.client.config(6, 2) & 8, 0, "the pin is low");
    assert_eq!(test.client.get(4, 0x8000, 8), 1);
    test.client.msix(0);
    assert_eq!(test.client.config(6, 2) & 8, 8);
    assert_eq!(test.client.get(4, 0x8000, 8), 0);
}

#[test]
fn the_next_client_finds_the_function_as_after_power_on() {
    let test = Test::new(Some(MSI));
    let notifier = test.go(Layout::CLEAR.feature);
    test.enable_msi();
    let told = Told::default();
    test.client.endpoint.detach(told.hold());
    assert_eq!(told.times(), 1);
    assert_eq!(test.device.asked.lock().unwrap().stops, 1);
    assert_eq!(test.get(STATUS), 0);
    assert_eq!(test.function.mode(), Mode::Line);
    assert_eq!(test.client.config(COMMAND, 2), 0);
    notifier.used(0);
    assert_eq!(test.get(INTERRUPT_STATUS), 0);
}
