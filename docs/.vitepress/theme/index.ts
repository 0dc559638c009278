/** VitePress's own theme with the fonts that the reader's machine has. */
import Theme from "vitepress/theme-without-fonts";

export default Theme;
