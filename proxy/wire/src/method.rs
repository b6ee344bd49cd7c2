//! The methods that the proxy knows by name, and the little it has to know about them.
//!
//! Everything else passes under whatever name it has.

/// Legacy: opens a session.
pub const INITIALIZE: &str = "initialize";
/// Legacy: the client has read the answer to `initialize`.
pub const INITIALIZED: &str = "notifications/initialized";
/// Legacy, both ways: are you there.
pub const PING: &str = "ping";
/// Both ways: a request is not wanted any more.
pub const CANCELLED: &str = "notifications/cancelled";
/// Both ways: how far a request is.
pub const PROGRESS: &str = "notifications/progress";
/// A log entry of the server.
pub const LOG_MESSAGE: &str = "notifications/message";
/// The list of tools has changed.
pub const TOOLS_LIST_CHANGED: &str = "notifications/tools/list_changed";
/// The list of prompts has changed.
pub const PROMPTS_LIST_CHANGED: &str = "notifications/prompts/list_changed";
/// The list of resources has changed.
pub const RESOURCES_LIST_CHANGED: &str = "notifications/resources/list_changed";
/// Legacy, from the client: its roots have changed.
pub const ROOTS_LIST_CHANGED: &str = "notifications/roots/list_changed";
/// A resource that was subscribed to has changed.
pub const RESOURCES_UPDATED: &str = "notifications/resources/updated";
/// 2025-11-25: what the person was sent to a URL for is done.
pub const ELICITATION_COMPLETE: &str = "notifications/elicitation/complete";
/// A task has changed its status.
pub const TASKS_STATUS: &str = "notifications/tasks/status";
/// Legacy: how much the server is to log.
pub const SET_LEVEL: &str = "logging/setLevel";
/// Legacy: wants to hear of changes of a resource.
pub const RESOURCES_SUBSCRIBE: &str = "resources/subscribe";
/// Legacy: does not want to any more.
pub const RESOURCES_UNSUBSCRIBE: &str = "resources/unsubscribe";
/// Lists resources.
pub const RESOURCES_LIST: &str = "resources/list";
/// Lists templates of resources.
pub const RESOURCE_TEMPLATES_LIST: &str = "resources/templates/list";
/// Reads a resource.
pub const RESOURCES_READ: &str = "resources/read";
/// Lists tools.
pub const TOOLS_LIST: &str = "tools/list";
/// Calls a tool.
pub const TOOLS_CALL: &str = "tools/call";
/// Lists prompts.
pub const PROMPTS_LIST: &str = "prompts/list";
/// Gets a prompt.
pub const PROMPTS_GET: &str = "prompts/get";
/// Completes an argument.
pub const COMPLETE: &str = "completion/complete";
/// From the server: wants the client's model to write something.
pub const CREATE_MESSAGE: &str = "sampling/createMessage";
/// From the server: wants to ask the person.
pub const ELICIT: &str = "elicitation/create";
/// From the server: wants the client's roots.
pub const ROOTS_LIST: &str = "roots/list";
/// How far a task is.
pub const TASKS_GET: &str = "tasks/get";
/// 2025-11-25: the result of a task.
pub const TASKS_RESULT: &str = "tasks/result";
/// 2025-11-25: lists tasks.
pub const TASKS_LIST: &str = "tasks/list";
/// Ends a task.
pub const TASKS_CANCEL: &str = "tasks/cancel";
/// Tasks extension of 2026-07-28: gives a task its input.
pub const TASKS_UPDATE: &str = "tasks/update";
/// 2026-07-28: what the server is and speaks.
pub const DISCOVER: &str = "server/discover";
/// 2026-07-28: the standing request on which changes are told.
pub const LISTEN: &str = "subscriptions/listen";
/// 2026-07-28: the first message on a listen stream.
pub const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

/// Whether the session eras have a method of this name and 2026-07-28 has taken it out (2026-07-28, changelog).
pub fn is_legacy_only(method: &str) -> bool {
    matches!(
        method,
        INITIALIZE
            | PING
            | SET_LEVEL
            | RESOURCES_SUBSCRIBE
            | RESOURCES_UNSUBSCRIBE
            | TASKS_LIST
            | TASKS_RESULT
    )
}

/// Whether some revision of MCP has a request of a client of this name.
pub fn is_known(method: &str) -> bool {
    is_legacy_only(method)
        || matches!(
            method,
            TOOLS_LIST
                | TOOLS_CALL
                | PROMPTS_LIST
                | PROMPTS_GET
                | RESOURCES_LIST
                | RESOURCE_TEMPLATES_LIST
                | RESOURCES_READ
                | COMPLETE
                | TASKS_GET
                | TASKS_CANCEL
                | TASKS_UPDATE
                | DISCOVER
                | LISTEN
        )
}

/// What the proxy has to know about a method of the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// 2026-07-28: a complete result must carry `ttlMs` and `cacheScope`.
    pub cacheable: bool,
    /// The server may ask the client for something while it works on this.
    pub may_ask: bool,
}

/// The properties of `method`. What is unknown is not cacheable, and may ask.
pub fn properties(method: &str) -> Properties {
    match method {
        TOOLS_CALL | PROMPTS_GET => Properties {
            cacheable: false,
            may_ask: true,
        },
        RESOURCES_READ => Properties {
            cacheable: true,
            may_ask: true,
        },
        DISCOVER | TOOLS_LIST | PROMPTS_LIST | RESOURCES_LIST | RESOURCE_TEMPLATES_LIST => {
            Properties {
                cacheable: true,
                may_ask: false,
            }
        }
        INITIALIZE
        | PING
        | SET_LEVEL
        | RESOURCES_SUBSCRIBE
        | RESOURCES_UNSUBSCRIBE
        | COMPLETE
        | LISTEN
        | TASKS_GET
        | TASKS_LIST
        | TASKS_CANCEL
        | TASKS_UPDATE => Properties::default(),
        // `tasks/result` of 2025-11-25 delivers the questions of a task that waits for input.
        _ => Properties {
            cacheable: false,
            may_ask: true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_ask_and_what_may_be_cached() {
        assert_eq!(
            properties(RESOURCES_READ),
            Properties {
                cacheable: true,
                may_ask: true
            }
        );
        assert_eq!(
            properties(TOOLS_LIST),
            Properties {
                cacheable: true,
                may_ask: false
            }
        );
        assert_eq!(properties(COMPLETE), Properties::default());
        assert_eq!(
            properties("vendor/thing"),
            Properties {
                cacheable: false,
                may_ask: true
            }
        );
    }
}
