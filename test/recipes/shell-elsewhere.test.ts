// All that is told of shell commands holds as well where another process starts them. Knows nothing of how it is told.
import { elsewhere } from "./shells.js";

elsewhere();
for (const name of ["shell", "shell-end", "shell-away", "shell-make"]) await import(`./${name}.test.js`);
