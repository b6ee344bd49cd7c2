//! `/.well-known/oauth-protected-resource`: where tokens come from (RFC 9728).

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{Response, Uri};
use axum::routing::get;

use super::router::App;
use super::routes::Named;
use super::{Fault, rescue};
use crate::guard::resource::{Resources, WELL_KNOWN};

/// The pages; none where there is no authorization server, because a token of the configuration is
/// between its owner and its holder.
pub(super) fn pages(resources: Option<&Arc<Resources>>) -> Router<App> {
    let Some(resources) = resources else {
        return Router::new();
    };
    let page = |resources: Arc<Resources>| {
        get(async move |Extract(app): Extract<App>, uri: Uri| metadata(&app, &resources, &uri))
    };
    Router::new()
        .route(WELL_KNOWN, page(Arc::clone(resources)))
        .route(
            &format!("{WELL_KNOWN}/{{*resource}}"),
            page(Arc::clone(resources)),
        )
}

fn metadata(app: &App, resources: &Resources, uri: &Uri) -> Response<Body> {
    let Some((server, mut metadata)) = resources.metadata(uri.path()) else {
        return Fault::NoSuchPath.into_response(None);
    };
    let routes = app.switchboard.now();
    let name = match server {
        None => routes.default.as_ref().map(|served| &served.about.name),
        Some(name) => {
            let named = routes.named.get_key_value(name);
            named.map(|(name, named)| match named {
                Named::Served(served) => &served.about.name,
                Named::Broken(_) => name,
            })
        }
    };
    let Some(name) = name else {
        return Fault::NoSuchServer.into_response(None);
    };
    metadata["resource_name"] = name.as_str().into();
    rescue::page(&metadata)
}
