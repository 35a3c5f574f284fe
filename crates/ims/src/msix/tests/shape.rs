// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Capability, sizes, and what no capability can show.

use super::bench::{ENABLED, FUNCTION_MASKED, config, guest, pba, set_control, table};
use crate::msix::layout::MAX_VECTORS;
use crate::msix::{BarOffset, ConfigError, Msix, MsixConfig, Part};

fn refused(config: MsixConfig) -> ConfigError {
    let sink = alloc::sync::Arc::<super::bench::Recorder>::default();
    Msix::new(config, super::bench::REQUESTER, sink).unwrap_err()
}

#[test]
fn the_capability_says_how_many_vectors_and_where() {
    let (mut msix, _) = guest(2048);
    let expected = [0x11, 0, 0xff, 0x07, 0x02, 0x10, 0, 0, 0x02, 0, 0, 0];
    assert_eq!(msix.capability(), expected);
    set_control(&mut msix, ENABLED | FUNCTION_MASKED);
    assert_eq!(msix.capability()[2..4], [0xff, 0xc7]);
    let (msix, _) = guest(1);
    assert_eq!(msix.capability()[2..4], [0, 0], "one vector, disabled");
}

#[test]
fn reset_state_is_disabled_masked_and_empty() {
    let (msix, _) = guest(65);
    assert!(!msix.enabled() && !msix.function_masked());
    for entry in table(&msix).chunks(16) {
        assert_eq!(entry, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    }
    assert!(pba(&msix).iter().all(|byte| *byte == 0));
    let vector = msix.vector(64).unwrap();
    assert!(vector.masked && !vector.sends);
    assert_eq!(msix.vector(65), None);
}

#[test]
fn the_pending_bit_array_has_a_word_for_every_64_vectors_and_none_more() {
    let sizes = [(1, 8), (63, 8), (64, 8), (65, 16), (128, 16), (2048, 256)];
    for (vectors, bytes) in sizes {
        assert_eq!(config(vectors).pba_bytes(), bytes);
        assert_eq!(config(vectors).table_bytes(), u64::from(vectors) * 16);
    }
}

#[test]
fn one_to_2048_vectors_can_be_had_and_no_others() {
    assert_eq!(u32::from(MAX_VECTORS), crate::domain::MSIX_VECTORS);
    for vectors in [1, 2, 63, 64, 65, 2047, 2048] {
        let (msix, _) = guest(vectors);
        let port = msix.port();
        assert!(port.counts(vectors - 1).is_some());
        assert!(port.counts(vectors).is_none());
    }
    for asked in [0, 2049, u16::MAX] {
        assert_eq!(refused(config(asked)), ConfigError::Vectors { asked });
    }
}

#[test]
fn places_that_a_register_cannot_name_are_refused() {
    let good = config(64);
    let (table, pba) = (good.table, good.pba);
    let with_table = |table| MsixConfig { table, ..good };
    let with_pba = |pba| MsixConfig { pba, ..good };
    let (part, bir) = (Part::Table, 6);
    assert_eq!(
        refused(with_table(BarOffset { bir, ..table })),
        ConfigError::Bir { part, bir }
    );
    let part = Part::Pba;
    for offset in [1, 4, 0x1007] {
        assert_eq!(
            refused(with_pba(BarOffset { offset, ..pba })),
            ConfigError::Alignment { part, offset }
        );
    }
    let (part, offset) = (Part::Table, u32::MAX - 1023 + 8);
    assert_eq!(
        refused(with_table(BarOffset { offset, ..table })),
        ConfigError::TooHigh { part, offset }
    );
    let offset = u32::MAX - 1023;
    let highest = with_table(BarOffset { offset, ..table });
    assert_eq!(highest.check(), Ok(()));
}

#[test]
fn table_and_pending_bits_may_touch_in_a_bar_but_not_overlap() {
    let at = |bir, offset| BarOffset { bir, offset };
    let place = |table, pba| MsixConfig {
        vectors: 65,
        table,
        pba,
    };
    // 1040 bytes of table, 16 of pending bits.
    for (table, pba) in [(0, 1040), (16, 0), (0x1000, 0x2000)] {
        assert_eq!(place(at(1, table), at(1, pba)).check(), Ok(()));
    }
    for (table, pba) in [(0, 1032), (8, 0), (0, 0), (0x1000, 0x1008)] {
        let bir = 1;
        assert_eq!(
            place(at(bir, table), at(bir, pba)).check(),
            Err(ConfigError::Overlap { bir, table, pba })
        );
        assert_eq!(place(at(1, table), at(0, pba)).check(), Ok(()));
    }
}
