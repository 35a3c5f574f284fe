// SPDX-License-Identifier: Apache-2.0 OR MIT
//! virtio-pci.

use super::*;
use crate::layout::features::VERSION_1;
use crate::layout::pci::common::{
    CONFIG_MSIX_VECTOR, DEVICE_STATUS, DRIVER_FEATURE, DRIVER_FEATURE_SELECT, QUEUE_DESC,
    QUEUE_DEVICE, QUEUE_DRIVER, QUEUE_ENABLE, QUEUE_MSIX_VECTOR, QUEUE_SELECT,
};
use crate::layout::pci::{CAPABILITY_ID, bar};
use crate::notifier::Notifier;
use crate::vfio::{NewError, PciFunction, PciOptions};

struct Test {
    device: Arc<TestDevice>,
    function: Arc<PciFunction<TestDevice>>,
    client: Client,
}

impl Test {
    fn new() -> Self {
        Self::with(PciOptions::default(), |_| {})
    }

    fn with(options: PciOptions, change: impl FnOnce(&mut TestDevice)) -> Self {
        let mut device = Recorder::new(&[64, 64]);
        change(&mut device);
        let device = Arc::new(device);
        let function = Arc::new(PciFunction::new(Arc::clone(&device), options).unwrap());
        let client = Client::new(function.clone());
        Self {
            device,
            function,
            client,
        }
    }

    fn common(&self, field: u64, bytes: usize, value: u64) {
        self.client.set(0, bar::COMMON + field, bytes, value);
    }

    /// Brings the device up; queue 0 has vector 0, queue 1 vector 1, the configuration
    /// vector 2.
    fn go(&self) -> Notifier {
        self.common(DEVICE_STATUS, 1, 3);
        self.common(DRIVER_FEATURE_SELECT, 4, 1);
        self.common(DRIVER_FEATURE, 4, VERSION_1 >> 32);
        self.common(DEVICE_STATUS, 1, 0xb);
        self.common(CONFIG_MSIX_VECTOR, 2, 2);
        for queue in 0..2 {
            let at = 0x1_0000 * (queue + 1);
            self.common(QUEUE_SELECT, 2, queue);
            self.common(QUEUE_MSIX_VECTOR, 2, queue);
            self.common(QUEUE_DESC, 8, at);
            self.common(QUEUE_DRIVER, 8, at + 0x4000);
            self.common(QUEUE_DEVICE, 8, at + 0x8000);
            self.common(QUEUE_ENABLE, 2, 1);
        }
        self.common(DEVICE_STATUS, 1, 0xf);
        let asked = self.device.asked.lock().unwrap();
        asked.setup.as_ref().unwrap().notifier.clone()
    }

    fn status(&self) -> u64 {
        self.client.get(0, bar::COMMON + DEVICE_STATUS, 1)
    }
}

#[test]
fn a_driver_finds_the_function_and_where_its_structures_are() {
    let test = Test::new();
    let client = &test.client;
    // Kind 42.
    assert_eq!(client.config(0, 4), 0x106a_1af4);
    assert_eq!(client.config(8, 4), 0xff00_0001);
    assert_eq!(client.config(0x3d, 1), 1);
    let found: Vec<_> = client
        .capabilities(CAPABILITY_ID)
        .into_iter()
        .map(|at| {
            let [length, kind] = [2, 3].map(|field| client.config(at + field, 1));
            let place = [4, 8, 12].map(|field| client.config(at + field, 4) & 0xffff_ffff);
            (length, kind, place[0] & 0xff, place[1], place[2])
        })
        .collect();
    assert_eq!(
        found,
        [
            (16, 1, 0, 0, 0x3c),
            (20, 2, 0, 0x4000, 0x4000),
            (16, 3, 0, 0x1000, 1),
            (16, 4, 0, 0x2000, 0x1000),
            (20, 5, 0, 0, 0),
        ]
    );
    let notify = client.capabilities(CAPABILITY_ID)[1];
    assert_eq!(client.config(notify + 16, 4), 4);
    // A vector for each queue and one more.
    let msix = client.capabilities(0x11)[0];
    assert_eq!(client.config(msix + 2, 2), 2);
}

#[test]
fn the_structures_are_reached_by_config_space_alone() {
    let test = Test::new();
    let window = test.client.capabilities(CAPABILITY_ID)[4];
    let set = |register, value| {
        test.client.set(region::CONFIG, window + register, 4, value);
    };
    set(8, bar::COMMON + DEVICE_STATUS);
    set(12, 1);
    test.client.set(region::CONFIG, window + 16, 1, 3);
    assert_eq!(test.status(), 3);
    assert_eq!(test.client.config(window + 16, 1), 3);
    set(8, bar::DEVICE + 4);
    set(12, 4);
    assert_eq!(test.client.config(window + 16, 4), 0x0706_0504);
}

#[test]
fn kinds_have_the_ids_and_classes_of_pci() {
    use crate::vfio::identity::virtio;
    let id = |kind| virtio(kind).map(|identity| (identity.device, identity.class));
    assert_eq!(id(1), Some((0x1041, 0x02_00_00)));
    assert_eq!(id(2), Some((0x1042, 0x01_80_00)));
    assert_eq!(id(4), Some((0x1044, 0xff_00_00)));
    assert_eq!(id(0), None);
    assert_eq!(id(64), None);
}

#[test]
fn each_event_signals_the_trigger_of_its_vector() {
    let test = Test::new();
    test.client.command(MEMORY_SPACE | BUS_MASTER);
    test.client.msix(MSIX_ENABLE);
    let triggers: Vec<_> = (0..3)
        .map(|vector| test.client.trigger(irq::MSIX, vector))
        .collect();
    let notifier = test.go();
    notifier.used(0);
    notifier.used(1);
    notifier.used(1);
    notifier.config_changed();
    let counts: Vec<_> = triggers.iter().map(count).collect();
    assert_eq!(counts, [1, 2, 1]);
    let signalled: Vec<_> = test.function.vectors().signalled().collect();
    assert_eq!(signalled, [1, 2, 1]);
    assert_eq!(test.function.pin_asserted(), 0);
}

#[test]
fn what_is_raised_under_a_mask_or_without_bus_mastering_is_signalled_once_after_it() {
    let test = Test::new();
    let client = &test.client;
    client.command(MEMORY_SPACE | BUS_MASTER);
    client.msix(MSIX_ENABLE);
    let trigger = client.trigger(irq::MSIX, 0);
    let notifier = test.go();

    client.msix(MSIX_ENABLE | FUNCTION_MASK);
    notifier.used(0);
    notifier.used(0);
    assert_eq!(count(&trigger), 0);
    assert_eq!(client.get(4, 0x8000, 8), 1, "pending");
    client.msix(MSIX_ENABLE);
    assert_eq!(count(&trigger), 1);
    assert_eq!(client.get(4, 0x8000, 8), 0);

    // Its own mask, which counts from its first write on.
    assert_eq!(client.get(4, 12, 4), 1);
    client.set(4, 12, 4, 1);
    notifier.used(0);
    assert_eq!(count(&trigger), 0);
    client.set(4, 12, 4, 0);
    assert_eq!(count(&trigger), 1);

    client.command(MEMORY_SPACE);
    notifier.used(0);
    assert_eq!(count(&trigger), 0);
    client.command(MEMORY_SPACE | BUS_MASTER);
    assert_eq!(count(&trigger), 1);
}

#[test]
fn an_interrupt_whose_vector_has_no_trigger_goes_out_with_the_next() {
    let test = Test::new();
    test.client.command(MEMORY_SPACE | BUS_MASTER);
    test.client.msix(MSIX_ENABLE);
    let notifier = test.go();
    notifier.used(0);
    assert_eq!(test.client.get(4, 0x8000, 8), 1);
    let trigger = test.client.trigger(irq::MSIX, 0);
    notifier.used(0);
    assert_eq!(count(&trigger), 1);
    assert_eq!(test.client.get(4, 0x8000, 8), 0);
}

#[test]
fn without_msix_the_pin_tells_until_the_status_is_read() {
    let test = Test::new();
    let client = &test.client;
    client.command(MEMORY_SPACE | BUS_MASTER);
    let trigger = client.trigger(irq::INTX, 0);
    let notifier = test.go();
    notifier.used(0);
    notifier.used(1);
    assert_eq!(count(&trigger), 1);
    assert_eq!(client.config(6, 2) & 8, 8, "interrupt status of the header");
    // The client thinks that it was served.
    client.unmask_pin();
    assert_eq!(count(&trigger), 1, "still asserted");
    assert_eq!(client.get(0, bar::ISR, 1), 1);
    assert_eq!(client.config(6, 2) & 8, 0);
    client.unmask_pin();
    assert_eq!(count(&trigger), 0);
    notifier.config_changed();
    assert_eq!(count(&trigger), 1);
    assert_eq!(test.function.pin_asserted(), 2);
}

#[test]
fn a_function_may_have_no_msix_at_all() {
    let options = PciOptions {
        vectors: Some(0),
        ..PciOptions::default()
    };
    let test = Test::with(options, |_| {});
    assert!(test.client.capabilities(0x11).is_empty());
    test.client.command(MEMORY_SPACE | BUS_MASTER);
    let trigger = test.client.trigger(irq::INTX, 0);
    test.go().used(1);
    assert_eq!(count(&trigger), 1);
}

#[test]
fn fewer_vectors_than_events_are_shared_as_the_driver_maps_them() {
    let options = PciOptions {
        vectors: Some(2),
        ..PciOptions::default()
    };
    let test = Test::with(options, |_| {});
    let client = &test.client;
    client.command(MEMORY_SPACE | BUS_MASTER);
    client.msix(MSIX_ENABLE);
    let shared = client.trigger(irq::MSIX, 1);
    let notifier = test.go();
    // The configuration's vector 2 was out of range.
    assert_eq!(client.get(0, CONFIG_MSIX_VECTOR, 2), 0xffff);
    test.common(QUEUE_SELECT, 2, 0);
    test.common(QUEUE_MSIX_VECTOR, 2, 1);
    notifier.used(0);
    notifier.used(1);
    notifier.config_changed();
    assert_eq!(count(&shared), 2);
}

#[test]
fn a_function_level_reset_waits_for_the_device_and_leaves_nothing() {
    let test = Test::with(PciOptions::default(), |device| device.stops_slowly = true);
    let client = &test.client;
    client.command(MEMORY_SPACE | BUS_MASTER);
    client.msix(MSIX_ENABLE);
    let trigger = client.trigger(irq::MSIX, 0);
    let notifier = test.go();
    client.set(4, 0, 4, 0xfee0_0000);
    let told = Told::default();
    client.endpoint.stop(Stop::Function, told.hold());
    assert_eq!(told.times(), 0);
    notifier.used(0);
    assert_eq!(count(&trigger), 0);
    test.device.let_go();
    assert_eq!(told.times(), 1);
    assert_eq!(test.status(), 0);
    assert_eq!(client.get(4, 0, 4), 0);
    assert_eq!(client.get(4, 0x8000, 8), 0);
    // Up again, by the pin this time.
    let pin = client.trigger(irq::INTX, 0);
    client.command(MEMORY_SPACE | BUS_MASTER);
    test.go().used(0);
    assert_eq!(count(&pin), 1);
}

#[test]
fn the_next_client_finds_the_function_as_after_power_on() {
    let test = Test::new();
    test.client.command(MEMORY_SPACE | BUS_MASTER);
    test.go();
    let told = Told::default();
    test.client.endpoint.detach(told.hold());
    assert_eq!(test.device.asked.lock().unwrap().stops, 1);
    assert_eq!(told.times(), 1);
    assert_eq!(test.status(), 0);
    assert_eq!(test.client.config(COMMAND, 2), 0);
}

#[test]
fn without_bus_mastering_no_device_starts() {
    let test = Test::new();
    test.common(DEVICE_STATUS, 1, 3);
    test.common(DRIVER_FEATURE_SELECT, 4, 1);
    test.common(DRIVER_FEATURE, 4, VERSION_1 >> 32);
    test.common(DEVICE_STATUS, 1, 0xb);
    test.common(QUEUE_DESC, 8, 0x1_0000);
    test.common(QUEUE_DRIVER, 8, 0x1_4000);
    test.common(QUEUE_DEVICE, 8, 0x1_8000);
    test.common(QUEUE_ENABLE, 2, 1);
    test.common(DEVICE_STATUS, 1, 0xf);
    assert_eq!(test.status() & 64, 64, "needs a reset");
    assert_eq!(test.device.asked.lock().unwrap().starts, 0);
}

#[test]
fn what_cannot_be_is_refused() {
    let device = Arc::new(TestDevice::new(&[64]));
    let options = PciOptions {
        vectors: Some(2049),
        ..PciOptions::default()
    };
    let error = PciFunction::new(device, options).unwrap_err();
    assert!(matches!(error, NewError::Config(_)), "{error}");
}
