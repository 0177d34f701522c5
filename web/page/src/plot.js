// The library that draws charts. It is more than a third of the page, and the first view has no chart, so it is loaded after that.

export {default} from "uplot";
