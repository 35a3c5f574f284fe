// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What does not go together is refused when the transport is made.

use super::*;
use crate::layout::features::{NOTIF_CONFIG_DATA, RING_RESET, VIS};
use crate::layout::msi::Notification;
use crate::msi::Offer;

fn make(features: u64, queues: &[u16], options: MmioOptions) -> Result<TestMmio, NewError> {
    let mut device = Recorder::new(queues);
    device.features |= features;
    Mmio::new(
        Arc::new(device),
        memory(),
        Arc::default(),
        Arc::default(),
        options,
    )
}

fn error(features: u64, options: MmioOptions) -> String {
    make(features, &[64, 16], options).unwrap_err().to_string()
}

fn msi(layout: Layout) -> MmioOptions {
    MmioOptions {
        msi: Some(offer(layout, 3, false)),
        ..MmioOptions::default()
    }
}

#[test]
fn layouts_of_2020_do_not_go_with_what_todays_virtio_means_by_their_bits() {
    for layout in [Layout::KERNEL, Layout::TEXT] {
        for features in [RING_RESET, NOTIF_CONFIG_DATA] {
            let error = make(features, &[64], msi(layout)).unwrap_err();
            assert!(matches!(error, NewError::Collision { bits } if bits == features));
        }
        make(0, &[64], msi(layout)).unwrap();
    }
    make(0, &[64], msi(Layout::CLEAR)).unwrap();
}

#[test]
fn features_that_this_transport_does_not_do_are_refused() {
    for features in [RING_RESET, NOTIF_CONFIG_DATA, VIS] {
        let options = MmioOptions::default();
        let error = make(features, &[64], options).unwrap_err();
        assert!(matches!(error, NewError::Unsupported { bits } if bits == features));
    }
    assert!(error(1 << 47, msi(Layout::CLEAR)).contains("0x800000000000"));
}

#[test]
fn layouts_that_overlap_anything_are_refused() {
    let clear = Layout::CLEAR;
    for layout in [
        Layout {
            vectors: 0x70,
            ..clear
        },
        Layout {
            command: 0x0d4,
            ..clear
        },
        Layout {
            command: clear.state,
            ..clear
        },
        Layout {
            state: 0x0e4,
            ..clear
        },
        Layout {
            state: 0x0ca,
            ..clear
        },
        Layout {
            state: 0x100,
            ..clear
        },
    ] {
        let error = make(0, &[64], msi(layout)).unwrap_err();
        assert!(matches!(error, NewError::Register { .. }), "{error}");
    }
    for layout in [
        Layout {
            feature: 0,
            ..clear
        },
        Layout {
            feature: 3 << 50,
            ..clear
        },
        Layout {
            feature: clear.notification_feature,
            ..clear
        },
        Layout {
            sharing: clear.enabled,
            ..clear
        },
        Layout {
            enabled: 0,
            ..clear
        },
    ] {
        let error = make(0, &[64], msi(layout)).unwrap_err();
        assert!(matches!(error, NewError::Layout), "{error}");
    }
    for feature in [VIS, VERSION_1, 1] {
        let layout = Layout { feature, ..clear };
        let error = make(0, &[64], msi(layout)).unwrap_err();
        assert!(matches!(error, NewError::Collision { .. }), "{error}");
    }
}

#[test]
fn there_are_vectors_enough_and_not_too_many() {
    for (vectors, sharing, good) in [
        (2, false, false),
        (3, false, true),
        (1, true, false),
        (2, true, true),
        (65536, true, true),
        (65537, true, false),
    ] {
        let options = MmioOptions {
            msi: Some(offer(Layout::CLEAR, vectors, sharing)),
            ..MmioOptions::default()
        };
        assert_eq!(make(0, &[64, 16], options).is_ok(), good, "{vectors}");
    }
    let options = MmioOptions {
        vis: Some(crate::vis::Offer { vectors: 0 }),
        ..MmioOptions::default()
    };
    assert!(matches!(make(0, &[64], options), Err(NewError::Vis(_))));
    let options = MmioOptions::default();
    assert!(matches!(make(0, &[65], options), Err(NewError::Device(_))));
}

#[test]
fn queues_are_notified_where_nothing_else_is() {
    let at = |base, multiplier| {
        let notification = Some(Notification { base, multiplier });
        let offer = Offer {
            notification,
            ..offer(Layout::CLEAR, 3, false)
        };
        let options = MmioOptions {
            msi: Some(offer),
            ..MmioOptions::default()
        };
        make(0, &[64, 16], options)
    };
    for (base, multiplier) in [
        (0x50, 4),
        (0x4c, 4),
        (0x60, 0),
        (0x100, 0),
        (0xffc, 4),
        (0x0c4, 0),
        (0x0e0, 0),
        (0x0c0, 0),
        (0x1002, 4),
        (0x1000, 2),
    ] {
        let made = at(base, multiplier);
        assert!(
            matches!(made, Err(NewError::Notification { .. })),
            "{base:#x} {multiplier:#x}"
        );
    }
    for (base, multiplier, bytes) in [
        (0x50, 0, 0x1000),
        (0x54, 4, 0x1000),
        (0x1000, 4, 0x1008),
        (0xfffc, 0xfffc, 0x1fffc),
    ] {
        let mmio = at(base, multiplier).unwrap();
        assert_eq!(mmio.bytes(), bytes);
    }
}
