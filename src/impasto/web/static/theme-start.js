// Owns the theme before the first drawing: it is set before anything is shown, to avoid a flash.

import { openTheme } from "./theme.js";

openTheme();
