// SPDX-License-Identifier: Apache-2.0 OR MIT

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn name(name: &str) -> Name {
    name.parse().unwrap()
}

fn summary() -> Summary {
    Summary {
        name: name("a"),
        kind: Kind::Virtual,
        socket: "/s".to_owned(),
        state: "enabled".to_owned(),
        maps: 1,
        vectors: 2,
        pasid: Some(3),
    }
}

/// What is said is `line`, and `line` is understood as what was said.
fn both_ways<T>(said: &T, line: &Value)
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug,
{
    assert_eq!(&serde_json::to_value(said).unwrap(), line);
    assert_eq!(&serde_json::from_value::<T>(line.clone()).unwrap(), said);
}

#[test]
fn requests_are_these_lines() {
    let create = Create {
        name: name("a"),
        vectors: Some(4),
        queue_size: Some(16),
        priority: None,
    };
    both_ways(
        &Request::Create(create),
        &json!({"request": "create", "name": "a", "vectors": 4, "queue-size": 16}),
    );
    both_ways(&Request::List, &json!({"request": "list"}));
    both_ways(&Request::Stat, &json!({"request": "stat"}));
    both_ways(
        &Request::Destroy { name: name("a") },
        &json!({"request": "destroy", "name": "a"}),
    );
    both_ways(
        &Request::Revoke { name: name("a") },
        &json!({"request": "revoke", "name": "a"}),
    );
    both_ways(
        &Request::Show { name: name("a") },
        &json!({"request": "show", "name": "a"}),
    );
}

#[test]
fn answers_are_these_lines() {
    let device = json!({
        "name": "a", "kind": "virtual", "socket": "/s", "state": "enabled", "maps": 1,
        "vectors": 2, "pasid": 3,
    });
    both_ways(
        &Answer::Devices {
            devices: vec![summary()],
        },
        &json!({"answer": "devices", "devices": [device]}),
    );
    both_ways(
        &Answer::Shown(Shown {
            device: summary(),
            qemu: vec!["q".to_owned()],
            machine: vec!["m".to_owned()],
            guest: vec!["g".to_owned()],
        }),
        &json!({
            "answer": "shown", "name": "a", "kind": "virtual", "socket": "/s",
            "state": "enabled", "maps": 1, "vectors": 2, "pasid": 3,
            "qemu": ["q"], "machine": ["m"], "guest": ["g"],
        }),
    );
    both_ways(
        &Answer::Destroyed {
            name: name("a"),
            quiet: true,
        },
        &json!({"answer": "destroyed", "name": "a", "quiet": true}),
    );
    both_ways(
        &Answer::Revoked {
            name: name("a"),
            handles: 2,
        },
        &json!({"answer": "revoked", "name": "a", "handles": 2}),
    );
    both_ways(
        &Answer::Refused(Refusal {
            reason: Reason::NoSuchDevice,
            message: "why".to_owned(),
        }),
        &json!({"answer": "refused", "reason": "no-such-device", "message": "why"}),
    );
}

#[test]
fn what_was_counted_is_this_line() {
    let vector = VectorStatistics {
        kind: "ims".to_owned(),
        vector: 1,
        index: Some(2),
        handle: Some(3),
        target: Some("t".to_owned()),
        masked: false,
        pending: true,
        raised: 4,
        delivered: 5,
        coalesced: 6,
        held: 7,
        faulted: 8,
        dropped: 9,
        last_fault: None,
    };
    let queue = QueueStatistics {
        queue: 0,
        enabled: true,
        waiting: 1,
        submitted: 2,
        refused: 3,
        completed: None,
    };
    both_ways(
        &Answer::Statistics(Statistics {
            parent: None,
            devices: vec![DeviceStatistics {
                device: summary(),
                errors: 10,
                queues: vec![queue],
                interrupts: vec![vector],
            }],
        }),
        &json!({
            "answer": "statistics",
            "devices": [{
                "name": "a", "kind": "virtual", "socket": "/s", "state": "enabled", "maps": 1,
                "vectors": 2, "pasid": 3, "errors": 10,
                "queues": [{
                    "queue": 0, "enabled": true, "waiting": 1, "submitted": 2, "refused": 3,
                }],
                "interrupts": [{
                    "kind": "ims", "vector": 1, "index": 2, "handle": 3, "target": "t",
                    "masked": false, "pending": true, "raised": 4, "delivered": 5,
                    "coalesced": 6, "held": 7, "faulted": 8, "dropped": 9,
                }],
            }],
        }),
    );
}

#[test]
fn a_newer_client_may_say_more() {
    let line = r#"{"request":"destroy","name":"a","gently":true}"#;
    let request: Request = serde_json::from_str(line).unwrap();
    assert_eq!(request, Request::Destroy { name: name("a") });
}

proptest! {
    #[test]
    fn any_line_is_a_request_or_an_error(line in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = serde_json::from_slice::<Request>(&line);
    }

    #[test]
    fn every_request_to_create_is_understood(
        name in "[a-z0-9][a-zA-Z0-9._-]{0,47}",
        vectors in any::<Option<u32>>(),
        queue_size in any::<Option<u32>>(),
        priority in any::<Option<u32>>(),
    ) {
        let request = Request::Create(Create {
            name: name.parse().unwrap(),
            vectors,
            queue_size,
            priority,
        });
        let line = serde_json::to_vec(&request).unwrap();
        prop_assert!(!line.contains(&b'\n'));
        prop_assert_eq!(serde_json::from_slice::<Request>(&line).unwrap(), request);
    }
}
