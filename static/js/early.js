// Before the first paint, so that the page does not change under the reader once the modules are there.
if ("noModule" in HTMLScriptElement.prototype) document.documentElement.classList.add("js");
